import Foundation
import Synchronization

/// Runs `body` on real threads at the same time, and returns when all have ended.
func onThreads(_ count: Int, _ body: @escaping @Sendable (_ index: Int) -> Void) async {
    let running = RunningThreads(count)
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        for index in 0..<count {
            Thread.detachNewThread {
                body(index)
                if running.endOne() { continuation.resume() }
            }
        }
    }
}

private final class RunningThreads: Sendable {
    private let count: Atomic<Int>

    init(_ count: Int) {
        self.count = Atomic(count)
    }

    /// Whether this was the last one.
    func endOne() -> Bool { count.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
}
