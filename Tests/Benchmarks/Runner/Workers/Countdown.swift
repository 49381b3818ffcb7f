import Synchronization

/// Lets one task wait until a number of things have happened.
final class Countdown: Sendable {
    private struct State {
        var left: Int
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    init(_ count: Int) {
        state = Mutex(State(left: count))
    }

    /// Some of them have happened.
    func happened(_ count: Int = 1) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.left -= count
            guard state.left <= 0 else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Waits for the last.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.left <= 0 { return true }
                state.waiter = continuation
                return false
            }
            if isOver { continuation.resume() }
        }
    }
}

/// Gives each number below a count once, to whichever task asks.
final class Numbers: Sendable {
    private let count: Int
    private let given = Atomic(0)

    init(_ count: Int) {
        self.count = count
    }

    func next() -> Int? {
        let number = given.wrappingAdd(1, ordering: .relaxed).oldValue
        return number < count ? number : nil
    }
}
