import Synchronization

/// Who waits for whom when an engine closes: the writer for the readers, callers for the writer.
final class ClosingDoor: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let endings = WorkQueue<Void>()
    private let readers: Int

    init(readers: Int) {
        self.readers = readers
    }

    /// Says that a reader has ended and let go of its connection.
    func readerEnded() {
        _ = endings.push(())
    }

    /// Blocks the writer's thread until every reader has ended.
    func waitForReaders() {
        var ended = 0
        while ended < readers, let some = endings.take(upTo: readers) { ended += some.count }
    }

    /// Lets everybody through, now and later.
    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when the door is open.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}
