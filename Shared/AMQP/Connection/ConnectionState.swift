/// What a connection is doing.
///
///     connecting ──▶ ready ◀──▶ blocked
///         ▲            │           │
///         └── closed ◀─┴───────────┘
///
/// `closed` lasts until the next attempt; after the end of `run` it is the last state.
public enum ConnectionState: Sendable, Equatable {
    /// An attempt to connect, to authenticate and to declare the topology is under way.
    case connecting
    /// Messages flow.
    case ready
    /// The broker takes no publishes for now (`connection.blocked`).
    case blocked(reason: String)
    /// There is no connection; the cause says why and, where it is known, how to mend it.
    case closed(cause: String)
}
