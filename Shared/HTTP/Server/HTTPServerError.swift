/// Why a server could not serve.
///
/// The description names the address and, where there is one, the mend.
public struct HTTPServerError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: Sendable {
        /// The text is no `host:port`.
        case invalidAddress
        /// The address cannot be bound.
        case cannotListen
        /// `run` has been called before.
        case alreadyRun
        /// The server ended before it served.
        case stopped
    }

    /// What kind of failure it is.
    public let code: Code
    /// What happened and how to mend it.
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
