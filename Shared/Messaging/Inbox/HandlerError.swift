internal import Database
internal import Events

/// What a handler throws when it knows whether a retry can help.
///
/// A `DatabaseError` says it itself: bad SQL, a violated constraint or a value of the wrong type stays what it is however
/// often it is tried, and goes to the dead letters at once under `database.misuse`, `database.constraint` or
/// `database.conversion`. Any other error counts as one that a retry can help; its class is the error's type.
public struct HandlerError: Error, Sendable, CustomStringConvertible {
    /// Whether a retry can help.
    public enum Kind: Sendable, Equatable {
        /// It can: tried again by the retry policy.
        case transient
        /// It cannot: to the dead letters at once.
        case permanent
        /// Again at that time (milliseconds since 1970), without costing an attempt. For a semantic lock that something
        /// else will open; never for what only a later event of the same subject brings.
        ///
        /// Not for ever: at `MessagingConfiguration.deferralLimit` after the first deferral it is tried once more, and a
        /// deferral then makes it a dead letter of the class `delivery.deferred-too-long`, which names this one.
        case deferred(until: Int64)
    }

    /// Whether a retry can help.
    public let kind: Kind
    /// Stable and without variable parts, `payment.provider-unavailable`: dead letters are grouped by it.
    public let errorClass: String
    /// For the operator; no secrets, no personal data.
    public let message: String

    /// An error that a retry can help.
    public static func transient(_ errorClass: String, _ message: String) -> HandlerError {
        HandlerError(kind: .transient, errorClass: errorClass, message: message)
    }

    /// An error that no retry can help.
    public static func permanent(_ errorClass: String, _ message: String) -> HandlerError {
        HandlerError(kind: .permanent, errorClass: errorClass, message: message)
    }

    /// Not now: again at `until`, in milliseconds since 1970.
    public static func deferred(until: Int64, _ errorClass: String, _ message: String) -> HandlerError {
        HandlerError(kind: .deferred(until: until), errorClass: errorClass, message: message)
    }

    /// The class and the message.
    public var description: String { "\(errorClass): \(message)" }

    /// Any error in this form.
    init(_ error: any Error) {
        switch error {
        case let error as HandlerError:
            self = error
        case let fault as EventFault:
            self = .permanent(fault.code.rawValue, fault.detail)
        case let error as DatabaseError where error.isPermanent:
            self = .permanent("database.\(error.code.name)", error.description)
        case is CancellationError:
            self = .transient("service.stopping", "the service stopped while the handler was at work")
        default:
            self = .transient(String(describing: Swift.type(of: error)), String(describing: error))
        }
    }

    /// A deferral whose time is up, that long after the first, in milliseconds.
    init(endOf deferral: HandlerError, after waited: Int64) {
        self = .permanent(
            "delivery.deferred-too-long",
            "it waited \(waited / 1000) s, as long as it may; at last for \(deferral)"
        )
    }

    /// The same, put off until another time.
    func deferred(until time: Int64) -> HandlerError {
        HandlerError(kind: .deferred(until: time), errorClass: errorClass, message: message)
    }

    private init(kind: Kind, errorClass: String, message: String) {
        self.kind = kind
        self.errorClass = String(errorClass.prefix(200))
        self.message = String(message.prefix(4000))
    }
}

extension DatabaseError.Code {
    /// Without its details: dead letters are grouped by it.
    fileprivate var name: String {
        if case .constraint = self { "constraint" } else { String(describing: self) }
    }
}
