import Dispatch
import Synchronization
public import Telemetry

/// A server over libmicrohttpd.
///
/// One thread reads requests and writes answers for all connections; handlers run as tasks meanwhile, so that a slow one
/// holds up no other. Behind the internet's door it wants a reverse proxy: it speaks plain HTTP/1.1 only, and
/// libmicrohttpd before 1.0 is lenient about line ends. A request whose end two readers could see in different places
/// (`Content-Length` with `Transfer-Encoding`, either of them twice) is refused.
public final class HTTPServer: Sendable {
    /// What a client may ask for.
    public struct Limits: Sendable {
        /// Bytes of a body; more is answered with 413.
        public var bodySize = 1 << 20
        /// Bytes of the request line and the headers together; more is answered with 431.
        public var headerSize = 16 << 10
        /// Connections at a time; further ones wait until one ends.
        public var connections = 512
        /// Connections at a time from one address; further ones are closed at once.
        public var connectionsPerPeer = 256
        /// How long a connection may be silent while it is read from or written to; rounded up to whole seconds.
        public var idle: Duration = .seconds(30)
        /// The longest that reading one whole request may take.
        public var request: Duration = .seconds(30)

        /// The defaults.
        public init() {}
    }

    private enum Phase {
        case new
        case serving(port: Int)
        case ended(any Error)
    }

    private struct State {
        var phase = Phase.new
        var hasRun = false
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Int, any Error>] = [:]
    }

    private let address: ListenAddress
    private let router: Router
    private let limits: Limits
    private let logger: Logger
    private let state = Mutex(State())

    /// Makes a server that does not yet listen.
    ///
    /// - Parameters:
    ///   - address: `host:port`, IPv6 in brackets (`[::1]:8081`); port 0 picks a free one.
    ///   - router: what answers.
    ///   - limits: what a client may ask for.
    ///   - logger: where failures of handlers go.
    /// - Throws: `HTTPServerError` when the address is none.
    public init(address: String, router: Router, limits: Limits = Limits(), logger: Logger) throws {
        self.address = try ListenAddress(address)
        self.router = router
        self.limits = limits
        self.logger = logger
    }

    /// Binds and serves until the task is cancelled.
    ///
    /// Then it accepts no more, lets requests in work end within `grace` (those that do not are answered with 503 and
    /// their tasks cancelled), and returns.
    ///
    /// Can be called once.
    ///
    /// - Throws: `HTTPServerError` when the address cannot be bound.
    public func run(grace: Duration = .seconds(5)) async throws {
        let isFirst = state.withLock { state in
            defer { state.hasRun = true }
            return !state.hasRun
        }
        guard isFirst else { throw HTTPServerError(.alreadyRun, "the server on \(address.text) has been run before") }
        let daemon: Daemon
        do {
            daemon = try await Self.offPool { [address, router, limits, logger] in
                try Daemon.start(address: address, router: router, limits: limits, logger: logger)
            }
        } catch {
            enter(.ended(error))
            throw error
        }
        enter(.serving(port: daemon.port))
        await untilCancelled()
        enter(.ended(HTTPServerError(.stopped, "the server on \(address.text) has stopped")))
        daemon.quiesce()
        await daemon.drained(within: grace)
        try await Self.offPool { daemon.stop() }
    }

    /// The bound port, once serving; waits for it.
    ///
    /// - Throws: the error of `run` when it could not serve or has ended; `CancellationError`.
    public func port() async throws -> Int {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Int, any Error>? = state.withLock { state in
                    switch state.phase {
                    case .serving(let port): return .success(port)
                    case .ended(let error): return .failure(error)
                    case .new where Task.isCancelled: return .failure(CancellationError())
                    case .new:
                        state.waiters[id] = continuation
                        return nil
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(throwing: CancellationError())
        }
    }

    private func enter(_ phase: Phase) {
        let waiters = state.withLock { state in
            state.phase = phase
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values {
            switch phase {
            case .serving(let port): waiter.resume(returning: port)
            case .ended(let error): waiter.resume(throwing: error)
            case .new: break
            }
        }
    }

    private func untilCancelled() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        for await _ in stream {}
        continuation.finish()
    }

    /// Runs what may block on a thread that is not of Swift's pool.
    private static func offPool<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try body() }) }
        }
    }
}
