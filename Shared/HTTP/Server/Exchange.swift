import CMicroHTTPD
import Synchronization

/// One request from its first line until its answer has been sent.
///
/// libmicrohttpd's thread reads and answers; the handler's task hands the answer over. A connection is suspended exactly
/// while the phase is `handling`, and resumed by whoever leaves it.
final class Exchange: Sendable {
    enum Phase {
        /// The request's line has been read.
        case head
        /// The headers have been read, the body arrives.
        case body
        /// A handler works; the connection is suspended.
        case handling(Task<Void, Never>?)
        /// There is an answer, which has not been handed to libmicrohttpd.
        case answered(HTTPResponse)
        /// The answer has been handed over, or written past libmicrohttpd; what still arrives is dropped.
        case done
    }

    struct State {
        var phase = Phase.head
        var method = ""
        var headers = HTTPHeaders()
        var body: [UInt8] = []
        /// Bytes that arrived after the answer.
        var dropped = 0
    }

    /// The request's target as it came.
    let target: [UInt8]
    /// Touched by libmicrohttpd's thread and, in `finish`, by the handler's task.
    let state = Mutex(State())
    private let connection: ConnectionHandle

    init(target: [UInt8], connection: ConnectionHandle) {
        self.target = target
        self.connection = connection
    }

    /// Suspends the connection; on libmicrohttpd's thread only.
    func suspend() {
        state.withLock { state in
            state.phase = .handling(nil)
            // Under the lock, so that the answer cannot resume what is not yet suspended.
            unsafe MHD_suspend_connection(connection.pointer)
        }
    }

    /// Keeps the handler's task, so that it can be cancelled; cancels it if the answer has been given meanwhile.
    func keep(_ task: Task<Void, Never>) {
        let isHandling = state.withLock { state in
            guard case .handling = state.phase else { return false }
            state.phase = .handling(task)
            return true
        }
        if !isHandling { task.cancel() }
    }

    /// Hands over the answer and resumes the connection; the first call wins.
    func finish(_ response: HTTPResponse) {
        _ = leaveHandling(response)
    }

    /// Answers in place of the handler, if it has not answered yet, and cancels its task.
    func abandon(_ response: HTTPResponse) {
        leaveHandling(response)?.cancel()
    }

    private func leaveHandling(_ response: HTTPResponse) -> Task<Void, Never>? {
        state.withLock { state in
            guard case .handling(let task) = state.phase else { return nil }
            state.phase = .answered(response)
            // Under the lock: once the phase is left, the daemon may be stopped, and it must have no suspended connection
            // then.
            unsafe MHD_resume_connection(connection.pointer)
            return task
        }
    }
}

/// A connection of libmicrohttpd.
///
/// Safe to send: the pointer is valid as long as the request is (a suspended connection is never freed), and each function that
/// takes it is called where libmicrohttpd allows it.
@safe struct ConnectionHandle: @unchecked Sendable, Hashable {
    let pointer: OpaquePointer

    static func == (left: ConnectionHandle, right: ConnectionHandle) -> Bool {
        unsafe left.pointer == right.pointer
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(UInt(bitPattern: unsafe pointer))
    }
}
