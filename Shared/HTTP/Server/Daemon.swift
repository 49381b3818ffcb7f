import CMicroHTTPD
import Glibc
import Synchronization
import Telemetry

/// A running libmicrohttpd daemon: its callbacks, the requests in work and the stop.
final class Daemon: Sendable {
    private struct State {
        var handle: DaemonHandle?
        var exchanges: [ObjectIdentifier: Exchange] = [:]
        /// No more connections; requests on those that are open are answered with 503.
        var isStopping = false
        var drainWaiter: CheckedContinuation<Void, Never>?
    }

    /// A daemon of libmicrohttpd.
    ///
    /// Safe to send: starting, quiescing and stopping follow one another.
    @safe private struct DaemonHandle: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    let port: Int
    let limits: HTTPServer.Limits
    let logger: Logger
    let watch: ReadingWatch
    private let router: Router
    private let listenSocket: Int32
    private let state = Mutex(State())

    private init(listenSocket: Int32, router: Router, limits: HTTPServer.Limits, logger: Logger) {
        self.listenSocket = listenSocket
        self.port = boundPort(of: listenSocket)
        self.router = router
        self.limits = limits
        self.logger = logger
        self.watch = ReadingWatch(request: limits.request, idle: limits.idle)
    }

    /// Binds and starts; may block.
    static func start(
        address: ListenAddress,
        router: Router,
        limits: HTTPServer.Limits,
        logger: Logger
    ) throws(HTTPServerError) -> Daemon {
        let daemon = Daemon(listenSocket: try address.listen(), router: router, limits: limits, logger: logger)
        var settings = unsafe warren_mhd_settings(
            listen_socket: daemon.listenSocket,
            // Room for the headers of the request twice (as they came and parsed), for those of the answer and for reading.
            connection_memory: limits.headerSize * 2 + (32 << 10),
            connections: UInt32(clamping: limits.connections),
            connections_per_peer: UInt32(clamping: limits.connectionsPerPeer),
            idle_seconds: UInt32(
                clamping: limits.idle.components.seconds + (limits.idle.components.attoseconds > 0 ? 1 : 0)
            ),
            // Not retained: `stop` ends the thread that calls back, and whoever runs the server holds the daemon until then.
            context: Unmanaged.passUnretained(daemon).toOpaque(),
            on_target: onTarget,
            on_request: onRequest,
            on_completed: onCompleted,
            on_connection: onConnection
        )
        guard let pointer = unsafe warren_mhd_start(&settings) else {
            let code = errno
            close(daemon.listenSocket)
            throw HTTPServerError(
                .cannotListen,
                "cannot serve on \(address.text): \(unsafe String(cString: strerror(code)))"
            )
        }
        daemon.state.withLock { $0.handle = unsafe DaemonHandle(pointer: pointer) }
        return daemon
    }

    /// Accepts no more connections.
    func quiesce() {
        let handle = state.withLock { state in
            state.isStopping = true
            return state.handle
        }
        if let handle { _ = unsafe MHD_quiesce_daemon(handle.pointer) }
        // Who knocks now is refused, instead of waiting in the socket's queue for an answer that never comes. The descriptor
        // is closed after the daemon has stopped, as libmicrohttpd asks.
        shutdown(listenSocket, Int32(SHUT_RDWR))
    }

    /// Returns when no request is in work, or after `grace`; not sooner when the task is cancelled.
    func drained(within grace: Duration) async {
        let timer = Task.detached { [self] in
            do { try await Task.sleep(for: grace) } catch { return }
            state.withLock { $0.drainWaiter.take() }?.resume()
        }
        await withCheckedContinuation { continuation in
            let isDrained = state.withLock { state in
                if !state.exchanges.isEmpty { state.drainWaiter = continuation }
                return state.exchanges.isEmpty
            }
            if isDrained { continuation.resume() }
        }
        timer.cancel()
    }

    /// Answers what is still in work with 503, ends all connections and the thread.
    ///
    /// Blocks for a moment.
    func stop() {
        let (handle, exchanges) = state.withLock { state in
            (state.handle.take(), Array(state.exchanges.values))
        }
        for exchange in exchanges { exchange.abandon(Problem.stopping.response) }
        watch.end()
        if let handle { unsafe MHD_stop_daemon(handle.pointer) }
        close(listenSocket)
    }

    // MARK: - On libmicrohttpd's thread

    func begin(target: [UInt8], on connection: ConnectionHandle) -> Exchange {
        let exchange = Exchange(target: target, connection: connection)
        watch.requestBegan(on: connection)
        state.withLock { $0.exchanges[ObjectIdentifier(exchange)] = exchange }
        return exchange
    }

    func completed(_ exchange: Exchange, on connection: ConnectionHandle) {
        watch.requestEnded(on: connection)
        let waiter = state.withLock { state in
            state.exchanges[ObjectIdentifier(exchange)] = nil
            return state.exchanges.isEmpty ? state.drainWaiter.take() : nil
        }
        waiter?.resume()
    }

    /// Says that the server itself answers a request.
    func refused(_ method: String, _ status: Int) { router.onRefusal(method, status) }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Starts the handler and suspends the connection.
    ///
    /// False when the server is stopping.
    func dispatch(_ request: HTTPRequest, for exchange: Exchange, on connection: ConnectionHandle) -> Bool {
        // Under the lock, so that `stop` sees every suspended connection.
        let isAccepted = state.withLock { state in
            guard !state.isStopping else { return false }
            exchange.suspend()
            return true
        }
        guard isAccepted else { return false }
        watch.requestRead(on: connection)
        exchange.keep(
            Task { [router, logger] in
                exchange.finish(await router.respond(to: request, logger: logger))
            }
        )
        return true
    }
}
