import Synchronization

/// One call of `Publisher.publish` that waits for its outcome: resumed once, by the link's thread or by cancellation.
package final class PublishTicket: Sendable {
    private enum State {
        case waiting(CheckedContinuation<Void, any Error>?)
        case sent(CheckedContinuation<Void, any Error>)
        case over
    }

    private let state = Mutex(State.waiting(nil))

    /// Makes the ticket of a call that is about to wait.
    package init() {}

    /// Whether the caller has given up or has its answer.
    package var isOver: Bool {
        state.withLock { state in
            if case .over = state { true } else { false }
        }
    }

    /// The caller waits.
    ///
    /// - Returns: false if it has been cancelled already; the continuation has been resumed then.
    package func wait(_ continuation: CheckedContinuation<Void, any Error>) -> Bool {
        let waits = state.withLock { state in
            guard case .waiting = state else { return false }
            state = .waiting(continuation)
            return true
        }
        if !waits { continuation.resume(throwing: CancellationError()) }
        return waits
    }

    /// The message is about to be sent.
    ///
    /// - Returns: false if the caller has given up: it must not be sent.
    package func beginSending() -> Bool {
        state.withLock { state in
            guard case .waiting(let continuation?) = state else { return false }
            state = .sent(continuation)
            return true
        }
    }

    /// The outcome is known.
    package func finish(_ error: AMQPError?) {
        let continuation = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            defer { state = .over }
            switch state {
            case .waiting(let continuation): return continuation
            case .sent(let continuation): return continuation
            case .over: return nil
            }
        }
        if let error { continuation?.resume(throwing: error) } else { continuation?.resume() }
    }

    /// The caller gives up.
    package func cancel() {
        let (continuation, error) = state.withLock { state -> (CheckedContinuation<Void, any Error>?, any Error) in
            defer { state = .over }
            switch state {
            case .waiting(let continuation):
                return (continuation, CancellationError())
            case .sent(let continuation):
                return (continuation, AMQPError(code: .cancelled, reason: "cancelled while waiting for the confirm"))
            case .over:
                return (nil, CancellationError())
            }
        }
        continuation?.resume(throwing: error)
    }
}
