import Synchronization

/// Keeps first deliveries out while a suspect runs, so that a process that ends then was ended by the suspect and by no
/// neighbour.
///
/// Fair by turns: a suspect waits until the first deliveries that have begun are done; those that come meanwhile wait for this
/// one suspect, and all of them begin before the next one. So neither side starves, and each waits for one turn of the other
/// at most. A turn lasts 10 s at most: a suspect whose turn does not come until then runs beside what is at work, and first
/// deliveries go on beside a suspect that takes longer. Only such a suspect can be charged for a neighbour.
///
/// First deliveries pass it by bursts: without a suspect that is two locks that nobody else holds, for all of a burst.
final class SuspectIsolation: Sendable {
    private struct State {
        /// Bursts that have been let in and whose deliveries are not in their lines yet.
        var beginning = 0
        var isClosed = false
        /// Counts the suspects.
        var turn = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        /// Told when no burst is beginning.
        var observers: [Signal] = []

        /// Whether a burst may begin now; then it counts.
        mutating func letIn() -> Bool {
            if isClosed { return false }
            beginning += 1
            return true
        }
    }

    /// Where first deliveries are at work.
    let lanes = Lanes()
    private let patience: Duration
    private let state = Mutex(State())

    /// - Parameter patience: how long one side waits for the other.
    init(patience: Duration = .seconds(10)) {
        self.patience = patience
    }

    /// Whether a suspect runs, or waits for its turn.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Whether first deliveries wait for a suspect.
    var isAwaited: Bool { state.withLock { !$0.waiting.isEmpty } }

    /// A burst of first deliveries is to begin: returns when it may.
    ///
    /// `begun` must follow.
    func begin() async {
        if state.withLock({ $0.letIn() }) { return }
        await withCheckedContinuation { continuation in
            let isIn = state.withLock { state in
                if state.letIn() { return true }
                state.waiting.append(continuation)
                return false
            }
            if isIn { continuation.resume() }
        }
    }

    /// The deliveries of the burst stand in their lines.
    func begun() {
        let observers = state.withLock { state -> [Signal] in
            state.beginning -= 1
            guard state.beginning == 0 else { return [] }
            defer { state.observers = [] }
            return state.observers
        }
        for observer in observers { observer.raise() }
    }

    /// Runs a suspect with no first delivery beside it.
    ///
    /// To be called for one suspect at a time.
    func alone(_ body: () async -> Void) async {
        let turn = state.withLock { state in
            state.isClosed = true
            state.turn += 1
            return state.turn
        }
        _ = await finishes(within: patience) { [self] in
            await untilBegun()
            await lanes.drained()
        }
        let limit = Task { [self] in
            // Cancelled when the suspect has ended in time.
            guard (try? await Task.sleep(for: patience)) != nil else { return }
            open(turn)
        }
        await body()
        limit.cancel()
        open(turn)
    }

    private func untilBegun() async {
        let signal = Signal()
        let isBeginning = state.withLock { state in
            guard state.beginning > 0 else { return false }
            state.observers.append(signal)
            return true
        }
        if isBeginning { await signal.wait() }
    }

    /// Ends a suspect's turn: all that waits is let in.
    private func open(_ turn: Int) {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard state.isClosed, state.turn == turn else { return [] }
            state.isClosed = false
            state.beginning += state.waiting.count
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
