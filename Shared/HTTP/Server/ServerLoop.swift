import CSockets
import Glibc
import Synchronization
import Telemetry

/// The thread that serves: it waits by epoll, reads requests and writes answers for all connections; handlers run as tasks.
final class ServerLoop: Sendable {
    private struct State {
        /// Answers of handlers that the thread has not taken yet.
        var answers: [(connection: UInt64, response: HTTPResponse)] = []
        var isQuiescing = false
        /// The thread has seen that, and accepts no more.
        var hasQuiesced = false
        var isEnding = false
        var hasEnded = false
        var busy = 0
        var statistics = HTTPServer.Statistics()
        var drainWaiter: CheckedContinuation<Void, Never>?
        var endWaiter: CheckedContinuation<Void, Never>?
    }

    /// What the thread has to do beside its connections.
    struct Orders {
        let answers: [(connection: UInt64, response: HTTPResponse)]
        let isQuiescing: Bool
        let isEnding: Bool
    }

    let port: Int
    let limits: HTTPServer.Limits
    let router: Router
    let logger: Logger
    private let listener: Int32
    private let epoll: Int32
    private let wakeup: Int32
    private let state = Mutex(State())

    /// Takes over a listening, non-blocking socket.
    init(listener: Int32, router: Router, limits: HTTPServer.Limits, logger: Logger) throws(HTTPServerError) {
        self.listener = listener
        self.router = router
        self.limits = limits
        self.logger = logger
        port = boundPort(of: listener)
        epoll = warren_epoll_create()
        wakeup = warren_eventfd()
        state.withLock { $0.statistics.limit = limits.connections }
        guard epoll >= 0, wakeup >= 0, startThread() else {
            for descriptor in [listener, epoll] where descriptor >= 0 { close(descriptor) }
            throw HTTPServerError(.cannotListen, "cannot serve: the process has no descriptor or thread left")
        }
    }

    /// What the connections are at.
    var statistics: HTTPServer.Statistics { state.withLock { $0.statistics } }

    /// Accepts no more connections.
    func quiesce() {
        state.withLock { $0.isQuiescing = true }
        wake()
    }

    /// Returns when no request is in work, or after `grace`; not sooner when the task is cancelled.
    func drained(within grace: Duration) async {
        let timer = Task.detached { [self] in
            do { try await Task.sleep(for: grace) } catch { return }
            state.withLock { $0.drainWaiter.take() }?.resume()
        }
        await withCheckedContinuation { continuation in
            let isDrained = state.withLock { state in
                let isDrained = state.hasEnded || state.hasQuiesced && state.busy == 0
                if !isDrained { state.drainWaiter = continuation }
                return isDrained
            }
            if isDrained { continuation.resume() }
        }
        timer.cancel()
    }

    /// Answers what is still in work with 503, ends all connections and the thread, and waits for it.
    func end() async {
        state.withLock { $0.isEnding = true }
        wake()
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.endWaiter = continuation }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    /// Hands over a handler's answer.
    func answer(_ response: HTTPResponse, on connection: UInt64) {
        let isFirst = state.withLock { state in
            state.answers.append((connection, response))
            return state.answers.count == 1
        }
        if isFirst { wake() }
    }

    private func wake() {
        var one: UInt64 = 1
        // It fails only while the count is full, and then the thread is awake.
        _ = unsafe write(wakeup, &one, 8)
    }

    // MARK: - The thread

    private func startThread() -> Bool {
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        let status = unsafe pthread_create(
            &thread,
            nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<ServerLoop>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            context
        )
        guard status == 0 else {
            unsafe Unmanaged<ServerLoop>.fromOpaque(context).release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private func run() {
        // Signals belong to other threads.
        let signals = UnsafeMutablePointer<sigset_t>.allocate(capacity: 1)
        unsafe sigfillset(signals)
        unsafe pthread_sigmask(SIG_SETMASK, signals, nil)
        unsafe signals.deallocate()
        let connections = Connections(loop: self, listener: listener, epoll: epoll, wakeup: wakeup)
        connections.serve()
        close(epoll)
        // The descriptor that wakes stays open as long as somebody may still write to it, which is until `deinit`.
        let waiters = state.withLock { state in
            state.hasEnded = true
            state.busy = 0
            return [state.drainWaiter.take(), state.endWaiter.take()]
        }
        for waiter in waiters { waiter?.resume() }
    }

    deinit { if wakeup >= 0 { close(wakeup) } }

    /// What the thread has to do beside its connections.
    func orders() -> Orders {
        state.withLock { state in
            defer { state.answers = [] }
            return Orders(answers: state.answers, isQuiescing: state.isQuiescing, isEnding: state.isEnding)
        }
    }

    /// Tells what the connections are at; `busy` have a request in work.
    func report(_ statistics: HTTPServer.Statistics, busy: Int, hasQuiesced: Bool) {
        let waiter = state.withLock { state in
            state.statistics = statistics
            state.busy = busy
            state.hasQuiesced = hasQuiesced
            return hasQuiesced && busy == 0 ? state.drainWaiter.take() : nil
        }
        waiter?.resume()
    }
}
