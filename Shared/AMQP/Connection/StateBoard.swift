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
        // `finish` calls the termination handler, which takes the lock: so it is called outside of it, here and below.
        let finished = board.withLock { board -> Bool in
            continuation.yield(board.current)
            guard !board.isFinished else { return true }
            let observer = board.nextObserver
            board.nextObserver += 1
            board.observers[observer] = continuation
            continuation.onTermination = { [weak self] _ in
                self?.board.withLock { $0.observers[observer] = nil }
            }
            return false
        }
        if finished { continuation.finish() }
        return stream
    }

    /// Shows a new state; the same one again is not repeated.
    package func set(_ state: ConnectionState, failure: AMQPError? = nil) {
        board.withLock { board in
            if let failure { board.lastFailure = failure } else if state == .ready { board.lastFailure = nil }
            guard board.current != state else { return }
            board.current = state
            for observer in board.observers.values {
                observer.yield(state)
            }
        }
    }

    /// Shows the last state and ends every observer's sequence.
    package func finish(_ state: ConnectionState) {
        set(state)
        let observers = board.withLock { board -> [AsyncStream<ConnectionState>.Continuation] in
            board.isFinished = true
            defer { board.observers = [:] }
            return Array(board.observers.values)
        }
        for observer in observers {
            observer.finish()
        }
    }
}
