import Synchronization

/// Who waits for whom when an engine closes: the writer for all other users of the file, callers for the writer.
final class ClosingDoor: Sendable {
    private struct State {
        var users = 0
        var isClosing = false
        var isClosed = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let lastUserLeft = WorkQueue<Void>()

    /// Whether no new users are let in and those that can should give up.
    var isClosing: Bool { state.withLock { $0.isClosing } }

    /// Lets a user of the file in; false when it is too late.
    func enter() -> Bool {
        state.withLock { state in
            if !state.isClosing { state.users += 1 }
            return !state.isClosing
        }
    }

    /// Says that a user has let go of the file.
    func leave() {
        let isLast = state.withLock { state in
            state.users -= 1
            return state.isClosing && state.users == 0
        }
        if isLast { _ = lastUserLeft.push(()) }
    }

    /// Lets nobody in any more, and gives what was true before.
    @discardableResult
    func beginClosing() -> Bool {
        state.withLock { state in
            defer { state.isClosing = true }
            return state.isClosing
        }
    }

    /// Blocks the writer's thread, after `beginClosing`, until all users have left.
    func waitForUsers() {
        if state.withLock({ $0.users == 0 }) { return }
        _ = lastUserLeft.take(upTo: 1)
    }

    /// Lets those go who wait for the closing, now and later.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when everything is closed.
    func waitUntilClosed() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isClosed { state.waiting.append(continuation) }
                return state.isClosed
            }
            if isClosed { continuation.resume() }
        }
    }
}
