/// Who sends a request, as far as the program has made sure of it.
public struct Caller: Sendable, Hashable {
    /// How the caller was recognised.
    public enum Kind: String, Sendable {
        /// Somebody on this machine, where nothing else is asked for.
        case local
        /// A program with a named token: it acts for all of its users.
        case backEnd = "back-end"
        /// Somebody with a token of the operations API.
        case `operator`
        /// A user with a token of their own: only what is theirs.
        case customer
    }

    /// How the caller was recognised.
    public let kind: Kind
    /// The token's name, or the customer's id; empty for `local`.
    public let name: String

    /// Makes a caller.
    public init(_ kind: Kind, _ name: String = "") {
        self.kind = kind
        self.name = name
    }

    /// Somebody on this machine.
    public static let local = Caller(.local)

    /// One text for both, unambiguous: `local`, `back-end:shop`, `customer:8d2f`.
    public var text: String { kind == .local ? kind.rawValue : "\(kind.rawValue):\(name)" }
}
