/// Why a mail was not taken.
///
/// The description holds no credentials and nothing of the mail but the server's reply to it.
public struct SMTPFailure: Error, Sendable, CustomStringConvertible {
    /// The server's reply code (4xx: a retry can help, 5xx: it cannot), nil when none came.
    public let replyCode: Int?
    /// What happened.
    public let reason: String
    /// Whether another attempt with the same mail must fail again: the server said 5xx, or the mail itself is not one.
    ///
    /// A refused login is not: it is the settings that have to be mended, not the mail.
    public let isPermanent: Bool

    /// Makes a failure.
    ///
    /// - Parameter isPermanent: by default, whether the reply code is a 5xx.
    public init(replyCode: Int?, reason: String, isPermanent: Bool? = nil) {
        self.replyCode = replyCode
        self.reason = reason
        self.isPermanent = isPermanent ?? replyCode.map { (500...599).contains($0) } ?? false
    }

    /// The reason.
    public var description: String { reason }
}
