import Dispatch
import Foundation
import Synchronization

/// What happens to objects while a task that uses them is being cancelled.
public enum Cancellation {
    /// Cancels tasks one after another that wait for something, while a thread resumes whatever waits, without a pause.
    ///
    /// The system holds a task's own lock while the handlers of its cancellation run, and asks for it to resume the task. Whoever
    /// resumes under a lock that such a handler wants waits for ever, sooner or later: within some hundred rounds.
    ///
    /// - Parameters:
    ///   - rounds: how many tasks.
    ///   - wait: waits until it is cancelled.
    ///   - resume: has whoever waits go on; called from one thread.
    /// - Throws: `TimedOut` when a task that is cancelled has not ended 10 s later.
    public static func stopsNobody(
        rounds: Int = 5_000,
        wait: @escaping @Sendable () async -> Void,
        resume: @escaping @Sendable () -> Void
    ) async throws {
        let state = State()
        // Both on threads of their own: what stands still is to hold up no other test.
        Thread { while !state.isOver.withLock({ $0 }) { resume() } }.start()
        let stuck: Int? = await withCheckedContinuation { continuation in
            state.continuation.withLock { $0 = continuation }
            Thread {
                for round in 0..<rounds {
                    state.round.withLock { $0 = round }
                    let task = Task {
                        await wait()
                        state.ended.signal()
                    }
                    usleep(UInt32(round % 8) * 20)
                    task.cancel()
                    state.ended.wait()
                }
                state.end(stuckIn: nil)
            }
            .start()
            Thread {
                var last = -1
                while !state.isOver.withLock({ $0 }) {
                    for _ in 0..<1_000 where !state.isOver.withLock({ $0 }) { usleep(10_000) }
                    let round = state.round.withLock { $0 }
                    if round == last { state.end(stuckIn: round) }
                    last = round
                }
            }
            .start()
        }
        if let stuck { throw TimedOut("the task of round \(stuck) is cancelled and does not end") }
    }

    private final class State: Sendable {
        let round = Mutex(0)
        let isOver = Mutex(false)
        let ended = DispatchSemaphore(value: 0)
        let continuation = Mutex<CheckedContinuation<Int?, Never>?>(nil)

        func end(stuckIn round: Int?) {
            isOver.withLock { $0 = true }
            let waiting = continuation.withLock { continuation in
                defer { continuation = nil }
                return continuation
            }
            waiting?.resume(returning: round)
        }
    }
}
