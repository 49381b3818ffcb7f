/// What a service has of messaging.
public enum MessagingRole: Sendable {
    /// It publishes its events and handles those of its queue.
    case publishesAndConsumes
    /// It has no queue and no connection for one: no subscription of its name is needed in the topology.
    ///
    /// Feeds of other services may be followed; they need no queue.
    case publishesOnly
    /// It has no connection to publish by: `append` is refused as misuse, and events that an earlier version appended stay where
    /// they are, unforwarded, until it publishes again.
    case consumesOnly

    var publishes: Bool { self != .consumesOnly }
    var consumes: Bool { self != .publishesOnly }
}
