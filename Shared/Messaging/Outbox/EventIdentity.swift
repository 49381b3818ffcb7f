/// What tells an event that was appended from every other.
///
/// It is durable when the transaction has committed, and means nothing if it does not.
public struct EventIdentity: Sendable, Hashable {
    /// A UUIDv7.
    public let id: String
    /// The service that appended it; source and id together are unique.
    public let source: String
    /// What it is about.
    public let subject: String
    /// Its number among the events of its subject, from 1.
    public let sequence: UInt64
}
