import Dispatch
import Synchronization
public import Telemetry

/// A server of plain HTTP/1.1, for behind a reverse proxy and for the machine itself.
///
/// One thread reads requests and writes answers for all connections; handlers run as tasks meanwhile, so that a slow one
/// holds up no other. A request that two readers could understand differently is answered with 400, once, and its connection
/// ends. Connections that wait for a request make room for new ones, so that nobody can shut others out by holding some open.
/// The module's README says why it is no library's.
public final class HTTPServer: Sendable {
    private enum Phase {
        case new
        case serving(port: Int)
        case ended(any Error)
    }

    private struct State {
        var phase = Phase.new
        var loop: ServerLoop?
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

    /// Whether the text is an address to listen on.
    public static func isAddress(_ text: String) -> Bool { (try? ListenAddress(text)) != nil }

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
        let loop: ServerLoop
        do {
            let listener = try await Self.offPool { [address] in try address.listen() }
            loop = try ServerLoop(listener: listener, router: router, limits: limits, logger: logger)
        } catch {
            enter(.ended(error))
            throw error
        }
        state.withLock { $0.loop = loop }
        enter(.serving(port: loop.port))
        await untilCancelled()
        enter(.ended(HTTPServerError(.stopped, "the server on \(address.text) has stopped")))
        loop.quiesce()
        await loop.drained(within: grace)
        await loop.end()
    }

    /// What the connections are at and what became of them; zeros before the server serves.
    public var statistics: Statistics { state.withLock { $0.loop }?.statistics ?? Statistics() }

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
