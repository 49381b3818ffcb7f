import Glibc
import Synchronization

/// Bounds the calls of one link's thread into the C library: a call that hangs past its limit gets its socket shut
/// down from outside, which makes it fail.
///
/// Closing or freeing stays with the owner.
///
/// It keeps a descriptor of its own for the socket (`dup`), so that a number that the library has closed and the process
/// has reused is never hit.
final class CallGuard: Sendable {
    private struct State {
        var socket: Int32 = -1
        var deadline: ContinuousClock.Instant?
        /// No deadline lies beyond this one.
        var latest: ContinuousClock.Instant?
        var hungCalls = 0
    }

    private let state = Mutex(State())

    deinit {
        let socket = state.withLock(\.socket)
        if socket >= 0 { close(socket) }
    }

    /// How many calls were ended from outside.
    var hungCalls: Int { state.withLock(\.hungCalls) }

    /// Watches this socket from now on; -1 for none.
    func watch(_ socket: Int32) {
        let copy = socket >= 0 ? fcntl(socket, F_DUPFD_CLOEXEC, 0) : -1
        let old = state.withLock { state in
            defer { state.socket = copy }
            return state.socket
        }
        if old >= 0 { close(old) }
    }

    /// Runs a call that may take so long at most.
    func bound<Result>(to limit: Duration, _ call: () throws(AMQPError) -> Result) throws(AMQPError) -> Result {
        begin(limit)
        defer { end() }
        return try call()
    }

    /// From now on every call, the running one included, must end by then.
    func end(by latest: ContinuousClock.Instant) {
        let deadline = state.withLock { state -> ContinuousClock.Instant? in
            state.latest = latest
            guard let deadline = state.deadline else { return nil }
            state.deadline = min(deadline, latest)
            return state.deadline
        }
        if let deadline { Watchdog.shared.wake(at: deadline, for: self) }
    }

    private func begin(_ limit: Duration) {
        let deadline = state.withLock { state in
            var deadline = ContinuousClock.now + limit
            if let latest = state.latest { deadline = min(deadline, latest) }
            state.deadline = deadline
            return deadline
        }
        Watchdog.shared.wake(at: deadline, for: self)
    }

    private func end() {
        state.withLock { $0.deadline = nil }
    }

    /// For the watchdog: ends the running call if it is late.
    ///
    /// - Returns: when to look again; nil if nothing runs.
    func check(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        state.withLock { state -> ContinuousClock.Instant? in
            guard let deadline = state.deadline else { return nil }
            guard deadline <= now else { return deadline }
            state.deadline = nil
            state.hungCalls += 1
            if state.socket >= 0 { shutdown(state.socket, Int32(SHUT_RDWR)) }
            return nil
        }
    }
}
