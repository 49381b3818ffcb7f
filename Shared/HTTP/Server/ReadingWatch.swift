import CMicroHTTPD
import Dispatch
import Glibc
import Synchronization

/// Ends connections on which reading a request takes too long.
///
/// libmicrohttpd only ends those on which nothing comes at all; a client that sends a byte now and then would hold its
/// connection for ever. No timer runs while nothing is being read.
final class ReadingWatch: Sendable {
    private struct Connection {
        let socket: Int32
        /// When reading has to be over; nil while it is not read from.
        var deadline: ContinuousClock.Instant?
    }

    private struct State {
        var connections: [ConnectionHandle: Connection] = [:]
        var isArmed = false
        var hasEnded = false

        /// Whether a timer has to be set, because there is none.
        mutating func arm() -> Bool {
            guard !isArmed, !hasEnded else { return false }
            isArmed = true
            return true
        }
    }

    private let request: Duration
    private let idle: Duration
    private let queue = DispatchQueue(label: "warren.http.reading")
    private let state = Mutex(State())

    init(request: Duration, idle: Duration) {
        self.request = request
        self.idle = idle
    }

    func connected(_ connection: ConnectionHandle, socket: Int32) {
        let arm = state.withLock { state in
            state.connections[connection] = Connection(socket: socket, deadline: .now + request)
            return state.arm()
        }
        if arm { schedule(after: request) }
    }

    func disconnected(_ connection: ConnectionHandle) {
        // libmicrohttpd tells before it closes the socket: what is not in the table is never shut down.
        state.withLock { $0.connections[connection] = nil }
    }

    func requestBegan(on connection: ConnectionHandle) { setDeadline(.now + request, on: connection) }

    func requestRead(on connection: ConnectionHandle) { setDeadline(nil, on: connection) }

    /// The next request may begin at any time within the idle timeout.
    func requestEnded(on connection: ConnectionHandle) { setDeadline(.now + idle + request, on: connection) }

    func end() { state.withLock { $0.hasEnded = true } }

    private func setDeadline(_ deadline: ContinuousClock.Instant?, on connection: ConnectionHandle) {
        let arm = state.withLock { state in
            state.connections[connection]?.deadline = deadline
            return deadline != nil && state.arm()
        }
        if arm { schedule(after: request) }
    }

    private func schedule(after delay: Duration) {
        let nanoseconds = delay.components.seconds * 1_000_000_000 + delay.components.attoseconds / 1_000_000_000
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(nanoseconds))) { [weak self] in self?.endOverdue() }
    }

    private func endOverdue() {
        let now = ContinuousClock.now
        let next: ContinuousClock.Instant? = state.withLock { state in
            state.isArmed = false
            guard !state.hasEnded else { return nil }
            for (handle, connection) in state.connections {
                guard let deadline = connection.deadline, deadline <= now else { continue }
                state.connections[handle]?.deadline = nil
                // libmicrohttpd sees the end of the stream and closes; the descriptor cannot have been given to another
                // connection meanwhile, because closing needs the lock.
                shutdown(connection.socket, Int32(SHUT_RDWR))
            }
            let next = state.connections.values.compactMap(\.deadline).min()
            if next != nil { state.isArmed = true }
            return next
        }
        // Not more often than four times in the span, whatever the connections.
        if let next { schedule(after: max(now.duration(to: next), request / 4)) }
    }
}
