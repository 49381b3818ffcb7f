/// Who the client is, by user and password (SASL PLAIN).
///
/// Nothing here prints the password, nor the user.
public struct Credentials: Sendable, Equatable {
    /// The user's name.
    public var user: String
    /// The user's password.
    public var password: String

    /// Makes credentials.
    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// That there are credentials, and no more.
    public var description: String { "credentials (not shown, they are secret)" }
    /// The same as `description`.
    public var debugDescription: String { description }
    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
