import Synchronization

/// Hands deliveries from a link's thread to the one reader, as many at a time as there are: what arrives while the reader
/// is busy becomes one burst.
package final class BurstMailbox: Sendable {
    private struct State {
        var waiting: [IncomingMessage] = []
        var reader: CheckedContinuation<[IncomingMessage]?, Never>?
        var isFinished = false
    }

    private let state = Mutex(State())

    /// Makes an empty mailbox.
    package init() {}

    /// The bursts, for one iterator.
    ///
    /// A cancelled reader gets nil; the messages stay.
    package var bursts: AsyncStream<[IncomingMessage]> {
        AsyncStream(
            unfolding: { await self.next() },
            onCancel: { self.releaseReader() }
        )
    }

    /// Adds a burst.
    package func append(_ burst: [IncomingMessage]) {
        put(burst)?()
    }

    /// As `append`, for callers that hold a lock.
    ///
    /// - Returns: what wakes the reader, to be called outside of that lock; nil where nobody waits.
    package func put(_ burst: [IncomingMessage]) -> (@Sendable () -> Void)? {
        guard !burst.isEmpty else { return nil }
        let reader = state.withLock { state -> CheckedContinuation<[IncomingMessage]?, Never>? in
            guard let reader = state.reader else {
                if state.waiting.isEmpty { state.waiting = burst } else { state.waiting += burst }
                return nil
            }
            state.reader = nil
            return reader
        }
        guard let reader else { return nil }
        return { reader.resume(returning: burst) }
    }

    /// Forgets what has not been taken: its connection is gone and the broker delivers it again.
    package func dropAll() {
        state.withLock { $0.waiting = [] }
    }

    /// No more will come: the reader gets what is left, then nil.
    package func finish() {
        state.withLock { $0.isFinished = true }
        releaseReader()
    }

    private func next() async -> [IncomingMessage]? {
        await withCheckedContinuation { continuation in
            let (answers, answer) = state.withLock { state -> (Bool, [IncomingMessage]?) in
                if !state.waiting.isEmpty {
                    defer { state.waiting = [] }
                    return (true, state.waiting)
                }
                // A second reader is a fault of the caller; it ends at once instead of hanging.
                if state.isFinished || state.reader != nil || Task.isCancelled { return (true, nil) }
                state.reader = continuation
                return (false, nil)
            }
            if answers { continuation.resume(returning: answer) }
        }
    }

    private func releaseReader() {
        let reader = state.withLock { state in
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }
}
