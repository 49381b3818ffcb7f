/// A fact that one service tells the others: the `data` of a CloudEvents envelope, with its type and subject.
public protocol Event: Codable, Sendable {
    /// The type on the wire, past tense, `dev.warren.order.placed`.
    static var type: EventType { get }
    /// The one source that says such things, `/order-service`; nil, the default, where anybody may.
    static var source: String? { get }
    /// The aggregate that the event is about; the order of its events is kept.
    var subject: String { get }
    /// Refuses what makes no sense, beyond what the types of the fields say: a negative amount, an empty name.
    ///
    /// Asked of every event that is appended and of every one that is read, so that nonsense is neither told nor acted upon; it
    /// should cost a few comparisons. The default takes everything.
    ///
    /// - Throws: `EventFault` with code `.invalidData` whose detail names the field (`data.total.amount`) and the rule.
    func validate() throws(EventFault)
}

extension Event {
    /// Anybody may say it.
    public static var source: String? { nil }
    /// Takes everything.
    public func validate() throws(EventFault) {}
}

/// The type of an event: reverse-DNS, past tense; also its routing key.
///
/// At most 255 bytes.
public struct EventType: RawRepresentable, Hashable, Sendable, Codable, ExpressibleByStringLiteral,
    CustomStringConvertible
{
    /// The type as it is on the wire.
    public let rawValue: String

    /// Makes a type of its text.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Makes a type of a literal.
    public init(stringLiteral value: String) {
        self.rawValue = value
    }

    /// The type as it is on the wire.
    public var description: String { rawValue }
}
