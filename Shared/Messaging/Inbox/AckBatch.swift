internal import AMQP
import Synchronization

/// Acknowledgements on their way: those of deliveries that share a commit go to the broker together.
///
/// The database's writer calls `add` for each delivery of a group before it resumes any of their handlers, so the first
/// handler that comes to `flush` takes the acks of all.
final class AckBatch: Sendable {
    /// One message's acknowledgement and where it goes.
    struct Ticket: Sendable {
        let tag: IncomingMessage.Tag
        let batch: AckBatch
        /// What came by the same way and had no identity.
        let copies: UnreadableCopies

        /// The delivery is where it belongs.
        func add() { batch.add(tag) }
    }

    private let tags = Mutex<[IncomingMessage.Tag]>([])
    private let acknowledge: @Sendable ([IncomingMessage.Tag]) -> Void

    init(_ acknowledge: @escaping @Sendable ([IncomingMessage.Tag]) -> Void) {
        self.acknowledge = acknowledge
    }

    /// A delivery is where it belongs.
    func add(_ tag: IncomingMessage.Tag) {
        tags.withLock { $0.append(tag) }
    }

    /// Passes on what was added.
    func flush() {
        let taken = tags.withLock { tags in
            defer { tags = [] }
            return tags
        }
        guard !taken.isEmpty else { return }
        CrashPoint.reach("inbox.before-ack")
        acknowledge(taken)
        CrashPoint.reach("inbox.acknowledged")
    }
}
