import CSQLite
import Synchronization

/// The opening of a database, as others see it: what it is at, and a way to give it up.
///
/// Thread-safe.
final class SQLiteOpening: Sendable {
    /// The handle is used under the lock alone, and only until the connection is given on: it is open as long as it is here.
    @safe private struct State: @unchecked Sendable {
        var handle: OpaquePointer?
        var isCancelled = false
    }

    private let state = Mutex(State())
    private let onStep: @Sendable (Database.OpeningStep) -> Void

    init(onStep: @escaping @Sendable (Database.OpeningStep) -> Void = { _ in }) {
        self.onStep = onStep
    }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Gives up what is under way.
    func cancel() {
        state.withLock { state in
            state.isCancelled = true
            // The check for damage is one long instruction, in which SQLite asks nobody but looks at this.
            if let handle = unsafe state.handle { unsafe sqlite3_interrupt(handle) }
        }
    }

    /// The next step begins.
    ///
    /// - Throws: `CancellationError` where it shall not.
    func begin(_ step: Database.OpeningStep) throws {
        if isCancelled { throw CancellationError() }
        onStep(step)
    }

    /// This connection is what `cancel` interrupts; nil ends that.
    func interrupts(_ handle: OpaquePointer?) {
        state.withLock { state in unsafe state.handle = handle }
    }
}
