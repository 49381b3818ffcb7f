import Synchronization

/// What other threads want of a link's thread, in order.
///
/// Waking it costs a system call only while it sleeps, and only for the first command.
final class CommandQueue<Command: Sendable>: Sendable {
    private struct State {
        var commands: [Command] = []
        /// The thread is, or is about to be, in `poll`, and nobody has signalled it.
        var isAsleep = false
        var isStopping = false
        /// The thread has ended; nobody takes commands any more.
        var isClosed = false
    }

    private let state = Mutex(State())
    private let wakeUp: WakeUp

    init(_ wakeUp: WakeUp) {
        self.wakeUp = wakeUp
    }

    /// Appends a command.
    ///
    /// - Returns: false once the queue is closed; the caller must then deal with the command itself.
    func append(_ command: Command) -> Bool {
        let (isAccepted, isAwaited) = add(command)
        if isAwaited { wakeUp.signal() }
        return isAccepted
    }

    /// Appends a command without waking the thread.
    ///
    /// - Returns: whether the queue was open; and whether the thread sleeps, so that the caller must see to it that the
    ///   command is taken.
    func add(_ command: Command) -> (isAccepted: Bool, isAwaited: Bool) {
        state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.commands.append(command)
            defer { state.isAsleep = false }
            return (true, state.isAsleep)
        }
    }

    /// Asks the thread to end.
    func stop() {
        state.withLock { state in
            state.isStopping = true
            state.isAsleep = false
        }
        wakeUp.signal()
    }

    /// Whether `stop` was called.
    var isStopping: Bool { state.withLock(\.isStopping) }

    /// Takes everything, and whether the thread shall end.
    ///
    /// For the link's thread.
    func takeAll() -> (commands: [Command], isStopping: Bool) {
        state.withLock { state in
            defer { state.commands = [] }
            return (state.commands, state.isStopping)
        }
    }

    /// Announces that the thread goes to sleep.
    ///
    /// - Parameter ignoringStop: whether it may sleep although it shall end.
    /// - Returns: false when there is work already; the thread must not sleep then.
    func willSleep(ignoringStop: Bool = false) -> Bool {
        state.withLock { state in
            state.isAsleep = state.commands.isEmpty && (ignoringStop || !state.isStopping)
            return state.isAsleep
        }
    }

    /// Announces that the thread is awake.
    func didWake(signalled: Bool) {
        if signalled { wakeUp.clear() }
        state.withLock { $0.isAsleep = false }
    }

    /// Takes what is left and refuses everything from now on.
    func close() -> [Command] {
        state.withLock { state in
            state.isClosed = true
            defer { state.commands = [] }
            return state.commands
        }
    }
}
