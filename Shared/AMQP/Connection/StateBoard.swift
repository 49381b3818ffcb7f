import Synchronization

/// Holds a connection's state and shows it, and each later one, to any number of observers.
package final class StateBoard: Sendable {
    private struct Board {
        var current = ConnectionState.closed(cause: "not started")
        var lastFailure: AMQPError?
        var observers: [Int: AsyncStream<ConnectionState>.Continuation] = [:]
        var nextObserver = 0
        var isFinished = false
    }

    private let board = Mutex(Board())
    private let callbacks = Callbacks()

    /// Makes a board that shows that nothing was started.
    package init() {}

    /// The state now.
    package var current: ConnectionState { board.withLock(\.current) }

    /// Why the last attempt or connection failed; nil once a connection is ready.
    package var lastFailure: AMQPError? { board.withLock(\.lastFailure) }

    /// The state now and each later one.
    ///
    /// A slow observer keeps the newest 256.
    package var states: AsyncStream<ConnectionState> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ConnectionState.self,
            bufferingPolicy: .bufferingNewest(256)
        )
        let observer = board.withLock { board -> Int in
            board.nextObserver += 1
            callbacks.add { [state = board.current] in continuation.yield(state) }
            if board.isFinished {
                callbacks.add { continuation.finish() }
            } else {
                board.observers[board.nextObserver] = continuation
            }
            return board.nextObserver
        }
        continuation.onTermination = { [weak self] _ in
            self?.board.withLock { $0.observers[observer] = nil }
        }
        callbacks.call()
        return stream
    }

    /// Shows a new state; the same one again is not repeated.
    package func set(_ state: ConnectionState, failure: AMQPError? = nil) {
        record(state, failure: failure)
        tell()
    }

    /// As `set`, for callers that hold a lock; `tell` must follow outside of it.
    package func record(_ state: ConnectionState, failure: AMQPError? = nil) {
        board.withLock { board in
            if let failure { board.lastFailure = failure } else if state == .ready { board.lastFailure = nil }
            guard board.current != state else { return }
            board.current = state
            for observer in board.observers.values {
                callbacks.add { observer.yield(state) }
            }
        }
    }

    /// Tells observers what they have not heard.
    package func tell() {
        callbacks.call()
    }

    /// Shows the last state and ends every observer's sequence.
    package func finish(_ state: ConnectionState) {
        record(state)
        board.withLock { board in
            board.isFinished = true
            for observer in board.observers.values {
                callbacks.add { observer.finish() }
            }
            board.observers = [:]
        }
        tell()
    }
}
