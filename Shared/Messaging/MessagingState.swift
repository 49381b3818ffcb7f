internal import AMQP
import Synchronization

/// How the messaging of a service stands: the least of its connections.
public enum MessagingState: Sendable, Equatable {
    /// Every connection that the service has is there, with the topology declared.
    case ready
    /// One is being made.
    case connecting
    /// The broker takes no publishes for now, and says why; what comes in is handled.
    case blocked(reason: String)
    /// One is away; it is tried again.
    case closed(cause: String)

    init(_ states: [ConnectionState]) {
        self = .ready
        for state in states {
            switch (state, self) {
            case (.closed(let cause), .ready), (.closed(let cause), .connecting), (.closed(let cause), .blocked):
                self = .closed(cause: cause)
            case (.connecting, .ready), (.connecting, .blocked): self = .connecting
            case (.blocked(let reason), .ready): self = .blocked(reason: reason)
            default: break
            }
        }
    }
}

extension MessagingState {
    /// A connection as far as its state goes.
    struct Watched: Sendable {
        /// Its name among the checks.
        let check: String
        let state: @Sendable () -> ConnectionState
        let states: @Sendable () -> AsyncStream<ConnectionState>
    }

    /// The state of several connections now and each later one; ends when all of them have ended.
    static func watch(_ connections: [Watched]) -> AsyncStream<MessagingState> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: MessagingState.self,
            bufferingPolicy: .bufferingNewest(256)
        )
        let board = Board(continuation)
        let watching = Task {
            await withTaskGroup(of: Void.self) { group in
                for connection in connections {
                    group.addTask {
                        for await _ in connection.states() {
                            board.show { MessagingState(connections.map { $0.state() }) }
                        }
                    }
                }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in watching.cancel() }
        return stream
    }

    /// Shows a state that differs from the last one.
    private final class Board: Sendable {
        private let last = Mutex<MessagingState?>(nil)
        private let callbacks = Callbacks()
        private let continuation: AsyncStream<MessagingState>.Continuation

        init(_ continuation: AsyncStream<MessagingState>.Continuation) {
            self.continuation = continuation
        }

        /// - Parameter look: asked under the lock, so that an older state is never shown after a later one.
        func show(_ look: () -> MessagingState) {
            last.withLock { last in
                let now = look()
                if now != last { callbacks.add { [continuation] in continuation.yield(now) } }
                last = now
            }
            callbacks.call()
        }
    }
}
