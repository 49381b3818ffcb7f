import Synchronization

/// Keeps everything else out while a suspect runs that is to be alone, so that a process that ends then was ended by the suspect
/// and by no neighbour.
///
/// All work runs in its `lanes`: first deliveries, rows of the table that may have company, and suspects. Fair by turns: a suspect
/// waits until what has begun there is done; what comes meanwhile waits for this one suspect, and all of it begins before the
/// next one. So neither side starves, and each waits for one turn of the other at most. A turn lasts 10 s at most: a suspect
/// whose turn does not come until then runs beside what is at work, and everything goes on beside a suspect that takes longer.
/// Such a suspect knows that it is not alone. In company or not, it stands in the line of its subject.
///
/// First deliveries pass it by bursts: without a suspect that is two locks that nobody else holds, for all of a burst.
final class SuspectIsolation: Sendable {
    private struct State {
        /// Bursts that have been let in and whose deliveries are not in their lines yet.
        var beginning = 0
        var isClosed = false
        /// Counts the suspects.
        var turn = 0
        /// Suspects at work.
        var suspects = 0
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

    /// What a suspect knows of its turn.
    final class Turn: Sendable {
        private struct State {
            var isAlone: Bool
            var whenOver: (@Sendable () async -> Void)?
        }

        private let state: Mutex<State>

        fileprivate init(isAlone: Bool) { state = Mutex(State(isAlone: isAlone)) }

        /// Whether nothing else is at work.
        var isAlone: Bool { state.withLock { $0.isAlone } }

        /// Has this done before something is let in beside the suspect; at once, if that has happened.
        func beforeCompany(_ work: @escaping @Sendable () async -> Void) async {
            let isAlone = state.withLock { state in
                if state.isAlone { state.whenOver = work }
                return state.isAlone
            }
            if !isAlone { await work() }
        }

        fileprivate func expectCompany() async {
            let work = state.withLock { state in
                state.isAlone = false
                return exchange(&state.whenOver, with: nil)
            }
            await work?()
        }
    }

    /// Where everything is at work.
    let lanes = Lanes()
    /// How long one side waits for the other.
    let patience: Duration
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

    /// What has ended in its line is to be followed by another one, if that has not to wait.
    ///
    /// `begun` must follow where the answer is yes.
    func letInAtOnce() -> Bool { state.withLock { $0.letIn() } }

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

    /// Runs a suspect with nothing beside it, in its line; returns when it stands there.
    ///
    /// To be called for one suspect at a time, the next one when the first one's turn has ended.
    ///
    /// - Parameter turnEnded: called once, when the body has ended or, before that, others are let in beside it.
    func alone(
        in line: LineKey,
        _ body: @escaping @Sendable (Lanes.Lane, Turn) async -> Void,
        turnEnded: @escaping @Sendable () -> Void
    ) async {
        let (number, others) = state.withLock { state in
            state.isClosed = true
            state.turn += 1
            state.suspects += 1
            return (state.turn, state.suspects - 1)
        }
        let isDrained = await finishes(within: patience) { [self] in
            await untilBegun()
            await lanes.drained(besideSuspects: true)
        }
        let turn = Turn(isAlone: isDrained && others == 0 && !lanes.hasStrays)
        let limit = Task { [self] in
            // Cancelled when the suspect has ended in time.
            guard (try? await Task.sleep(for: patience)) != nil else { return }
            await turn.expectCompany()
            if open(number) { turnEnded() }
        }
        let isAtWork = lanes.run(in: line, isSuspect: true) { [self] lane in
            await body(lane, turn)
            limit.cancel()
            state.withLock { $0.suspects -= 1 }
            if open(number) { turnEnded() }
        }
        // Who waits for an earlier one of its subject, and so is not alone, keeps nobody else from beginning.
        if !isAtWork, open(number) { turnEnded() }
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
    /// - Returns: false if it had ended.
    private func open(_ turn: Int) -> Bool {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>]? in
            guard state.isClosed, state.turn == turn else { return nil }
            state.isClosed = false
            state.beginning += state.waiting.count
            defer { state.waiting = [] }
            return state.waiting
        }
        guard let waiting else { return false }
        for continuation in waiting { continuation.resume() }
        return true
    }
}
