import CRabbitMQ
import Glibc
import Synchronization
import Telemetry

/// What a link does with its connection: publish or consume.
///
/// Used by one thread at a time: the link's, or one that writes in its place (`Link.send`).
protocol LinkRole: AnyObject, SendableMetatype {
    associatedtype Command: Sendable

    /// Whether there is something to write as soon as the socket takes it.
    var wantsToWrite: Bool { get }
    /// Whether what waits to be written had better be written at once, by whoever brings it: nothing else is under way that
    /// it could be put together with, and nothing of it waits for an answer.
    var isUrgent: Bool { get }
    /// How many frames may be read now, about; none while what has been read fills the memory that there is for it.
    var readLimit: Int { get }
    /// A connection stands and its topology is declared.
    func connected(_ transport: any Transport, number: UInt64) throws(AMQPError)
    /// Other threads want this. There may be no connection.
    func take(_ commands: [Command])
    /// Writes one burst: the transport takes one just now.
    func write(_ transport: any Transport) throws(AMQPError)
    /// The broker said this. `blocked` and `unblocked` have been noted by the link already.
    func receive(_ frame: consuming IncomingFrame, _ transport: any Transport) throws(AMQPError)
    /// All that had arrived has been received.
    func received()
    /// The link shall end. Called again and again, with receiving in between, until it returns true.
    func finish(_ transport: any Transport) throws(AMQPError) -> Bool
    /// The connection is gone.
    func disconnected(_ error: AMQPError)
    /// The link has ended; these commands were never taken.
    func ended(_ leftOver: [Command])
}

extension LinkRole {
    var readLimit: Int { 1_024 }
}

/// A connection that lives for ever: it connects, declares, serves its role and connects again, on a thread of its own.
///
/// One thread owns the C library's connection; everybody else speaks to it through the command queue. The thread sleeps in
/// `poll` on the socket and the queue's event descriptor; it never waits inside the library except for the answer to a call,
/// which is bounded. While it sleeps, whoever has something to write may do so in its place where that never waits: two
/// threads that wake each other for each message are what small windows cost.
final class Link<Role: LinkRole>: Sendable {
    let configuration: ConnectionConfiguration
    let topology: BrokerTopology
    let logger: Logger
    let board = StateBoard()
    let commands: CommandQueue<Role.Command>
    let callGuard = CallGuard()
    private let wakeUp: WakeUp
    private let threadName: String
    private let counts: Counts
    private let makeRole: @Sendable () -> Role
    private let life = Mutex(Life.fresh)
    private let turn = Mutex(Turn())
    /// What the queues of the topology had ready when the present connection declared them, or the last one that did.
    let readyMessages = Mutex<[String: Int]>([:])

    /// What is served, for whoever has the turn.
    ///
    /// Role and transport are used under the lock alone as long as they are here.
    private struct Turn: @unchecked Sendable {
        var role: Role?
        var transport: (any Transport)?
        /// What befell a thread that wrote in the place of the link's.
        var failure: AMQPError?
    }

    private enum Life {
        case fresh
        case running(CheckedContinuation<Void, Never>)
        case ended
    }

    init(
        _ configuration: ConnectionConfiguration,
        topology: BrokerTopology,
        threadName: String,
        counts: Counts,
        logger: Logger,
        makeRole: @escaping @Sendable () -> Role
    ) {
        self.configuration = configuration
        self.topology = topology
        self.threadName = threadName
        self.counts = counts
        self.logger = logger
        self.makeRole = makeRole
        wakeUp = WakeUp()
        commands = CommandQueue(wakeUp)
    }

    /// Runs the thread until the task is cancelled; returns when the connection is closed, or after twice the closing timeout
    /// if the thread hangs where nothing can end it (name resolution).
    func run() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let starts = life.withLock { life in
                    guard case .fresh = life else { return false }
                    life = .running(continuation)
                    return true
                }
                guard starts else {
                    logger.error("A connection can run only once")
                    continuation.resume()
                    return
                }
                if !LinkThread.start(named: threadName, { self.main() }) {
                    board.finish(.closed(cause: "the system gives no thread"))
                    end()
                }
            }
        } onCancel: {
            commands.stop()
            callGuard.end(by: .now + configuration.closingTimeout)
            Watchdog.shared.call(at: .now + configuration.closingTimeout * 2) { [weak self] in self?.end() }
        }
    }

    /// Hands a command over and, where the link's thread sleeps, writes what follows from it here and now.
    ///
    /// Not for callers that may hold a lock: what others have handed over is taken too, and may call them back.
    ///
    /// - Returns: false once the link has ended; the caller must then deal with the command itself.
    func send(_ command: Role.Command) -> Bool {
        let (isAccepted, isAwaited) = commands.add(command)
        guard isAwaited else { return isAccepted }
        let isDone = turn.withLockIfAvailable { turn in
            do throws(AMQPError) {
                return try writeInstead(&turn)
            } catch {
                turn.failure = error
                return false
            }
        }
        if isDone != true { wakeUp.signal() }
        return isAccepted
    }

    /// - Returns: whether nothing is left for the link's thread to do.
    private func writeInstead(_ turn: inout Turn) throws(AMQPError) -> Bool {
        guard let role = turn.role, let transport = turn.transport, transport.neverWaits, turn.failure == nil else {
            return false
        }
        repeat {
            let (taken, isStopping) = commands.takeAll()
            role.take(taken)
            if isStopping || !role.isUrgent || !transport.takesMore { return false }
            if role.wantsToWrite { try role.write(transport) }
            if role.wantsToWrite || transport.hasUnsent { return false }
            // What others have added meanwhile has woken nobody.
        } while !commands.willSleep()
        return true
    }

    /// Declares the topology over a connection of its own, on a thread that may block.
    func declareApart() throws(AMQPError) {
        var failure = AMQPError(code: .connectionFailed, reason: "there is no endpoint")
        for endpoint in try configuration.currentEndpoints() {
            do throws(AMQPError) {
                let session = try Session(configuration.authenticated(endpoint), configuration, CallGuard())
                defer { session.close(within: configuration.closingTimeout) }
                return try session.declare(topology)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private func end() {
        let continuation = life.withLock { life -> CheckedContinuation<Void, Never>? in
            defer { life = .ended }
            if case .running(let continuation) = life { return continuation }
            return nil
        }
        continuation?.resume()
    }
}

// The link's thread.
extension Link {
    private func main() {
        let role = makeRole()
        var backoff = Backoff(configuration.backoff)
        var generator = SystemRandomNumberGenerator()
        var number: UInt64 = 0
        var log = OutageLog()
        while !commands.isStopping {
            let began = ContinuousClock.now
            if let (session, transport) = connect(role, &number, &log) {
                let error = serve(session, transport, role)
                role.disconnected(error)
                callGuard.watch(-1)
                // A connection that breaks at once is no success: its next attempt waits as after a failed one.
                if began.duration(to: .now) > .seconds(1) { backoff.reset() }
                note(error, &log)
            }
            if commands.isStopping { break }
            pause(backoff.next(using: &generator), role)
        }
        let leftOver = commands.close()
        role.ended(leftOver)
        board.finish(.closed(cause: "the connection was closed by this service"))
        end()
    }

    /// Tries every endpoint in turn.
    private func connect(_ role: Role, _ number: inout UInt64, _ log: inout OutageLog) -> (Session, any Transport)? {
        board.set(.connecting)
        let endpoints: [Endpoint]
        do throws(AMQPError) {
            endpoints = try configuration.currentEndpoints()
        } catch {
            role.disconnected(error)
            note(error, &log)
            return nil
        }
        for endpoint in endpoints where !commands.isStopping {
            board.set(.connecting)
            do throws(AMQPError) {
                let session = try Session(configuration.authenticated(endpoint), configuration, callGuard)
                let transport: any Transport
                do throws(AMQPError) {
                    try session.declare(topology)
                    readyMessages.withLock { $0 = session.readyMessages }
                    number += 1
                    transport = try session.open(number: number)
                    try role.connected(transport, number: number)
                } catch {
                    session.close(within: configuration.closingTimeout)
                    throw error
                }
                counts.update { $0.connections += 1 }
                board.set(.ready)
                noteConnected(to: endpoint, &log)
                return (session, transport)
            } catch {
                role.disconnected(error)
                note(error, &log)
            }
        }
        return nil
    }

    private func noteConnected(to endpoint: Endpoint, _ log: inout OutageLog) {
        guard let notice = log.connected(at: .now) else { return }
        let broker = LogField("messaging.broker", endpoint.redacted)
        if notice.failures == 0 {
            logger.info("Connected to the broker", [broker])
        } else {
            logger.info("Connected to the broker again", [broker] + fields(of: notice))
        }
    }

    /// Shows why there is no connection, and logs it where the log does not say so already.
    private func note(_ error: AMQPError, _ log: inout OutageLog) {
        guard !commands.isStopping else { return }
        board.set(.closed(cause: error.description), failure: error)
        guard let notice = log.failed(error.description, at: .now) else { return }
        logger.warning("The connection to the broker failed", [LogField("error", error: error)] + fields(of: notice))
    }

    private func fields(of notice: OutageLog.Notice) -> [LogField] {
        [
            LogField("messaging.failures", notice.failures),
            LogField("messaging.away_seconds", Double(Int(notice.away / .milliseconds(1))) / 1_000),
        ]
    }

    /// Serves the role until the connection breaks or the link shall end.
    ///
    /// - Returns: why it ended.
    private func serve(_ session: Session, _ transport: any Transport, _ role: Role) -> AMQPError {
        turn.withLock { $0 = Turn(role: role, transport: transport) }
        defer { turn.withLock { $0 = Turn() } }
        var hasArrived = true
        var lastLook = ContinuousClock.now
        // What lies in buffers of ours when reading stops says nothing to `poll`: the next turn looks at it.
        var isFull = false
        do throws(AMQPError) {
            while true {
                let sleep = try turn.withLock { turn throws(AMQPError) -> Sleep? in
                    if let failure = turn.failure { throw failure }
                    let (taken, isStopping) = commands.takeAll()
                    if !taken.isEmpty { role.take(taken) }
                    guard !isStopping else {
                        turn = Turn()
                        return nil
                    }
                    try write(transport, role)
                    // Commands that come all the time must not put off the look at the heartbeats.
                    let now = ContinuousClock.now
                    guard hasArrived || isFull || lastLook.duration(to: now) >= longestSleep(session) else {
                        return nextSleep(session, transport, role, isDrained: true)
                    }
                    lastLook = now
                    isFull = role.readLimit == 0
                    guard !isFull || hasHungUp(session.socket) else {
                        // The broker keeps what it has until there is room again; it must not take that for silence.
                        try transport.keepAlive()
                        return nextSleep(session, transport, role, isDrained: true, reads: false)
                    }
                    let isDrained = try receive(transport, role)
                    return nextSleep(session, transport, role, isDrained: isDrained)
                }
                guard let sleep else { return try finish(session, transport, role) }
                hasArrived = perform(sleep, socket: session.socket)
            }
        } catch {
            session.close(within: configuration.closingTimeout)
            return error
        }
    }

    private func write(_ transport: any Transport, _ role: Role) throws(AMQPError) {
        if transport.hasUnsent { try transport.flush() }
        if role.wantsToWrite, transport.takesMore { try role.write(transport) }
    }

    /// Whether the connection is over, where nobody reads it.
    private func hasHungUp(_ socket: Int32) -> Bool {
        var descriptor = pollfd(fd: socket, events: 0, revents: 0)
        return unsafe poll(&descriptor, 1, 0) > 0
    }

    private func receive(_ transport: any Transport, _ role: Role) throws(AMQPError) -> Bool {
        defer { role.received() }
        return try transport.receive(limit: max(1, role.readLimit)) { frame throws(AMQPError) in
            switch frame {
            case .blocked(let reason):
                board.set(.blocked(reason: reason))
                logger.warning("The broker blocks publishing", [LogField("messaging.reason", reason)])
            case .unblocked:
                board.set(.ready)
                logger.info("The broker takes messages again")
            default: break
            }
            try role.receive(frame, transport)
        }
    }

    /// How long the thread may sleep on the socket, and what for besides reading.
    private struct Sleep {
        var duration: Duration
        var events: Int16
    }

    /// The sleep until there is something to read, to write or to do, or a heartbeat may be due; none where there is
    /// something now.
    private func nextSleep(
        _ session: Session,
        _ transport: any Transport,
        _ role: Role,
        isDrained: Bool,
        isEnding: Bool = false,
        reads: Bool = true
    ) -> Sleep {
        // What cannot be written now waits for the socket; what can is written before any sleep.
        let waitsForRoom = transport.hasUnsent || role.wantsToWrite
        let canWrite = role.wantsToWrite && transport.takesMore
        guard isDrained, !canWrite, commands.willSleep(ignoringStop: isEnding) else {
            return Sleep(duration: .zero, events: 0)
        }
        return Sleep(
            duration: isEnding ? .milliseconds(20) : longestSleep(session),
            events: (reads ? Int16(POLLIN) : 0) | (waitsForRoom ? Int16(POLLOUT) : 0)
        )
    }

    /// For how long nobody needs to look at the heartbeats.
    private func longestSleep(_ session: Session) -> Duration {
        session.heartbeat > 0 ? .milliseconds(session.heartbeat * 250) : min(.seconds(10), session.timeout)
    }

    /// - Returns: false if it was commands alone that ended the sleep, and there is nothing to receive.
    private func perform(_ pause: Sleep, socket: Int32) -> Bool {
        pause.duration == .zero || sleep(pause.duration, socket: socket, events: pause.events)
    }

    /// - Returns: false if it was the wake-up alone that ended the sleep.
    private func sleep(_ duration: Duration, socket: Int32, events: Int16) -> Bool {
        var descriptors: [2 of pollfd] = [
            pollfd(fd: socket, events: events, revents: 0),
            pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        var span = descriptors.mutableSpan
        unsafe span.withUnsafeMutableBufferPointer { buffer in
            unsafe _ = poll(buffer.baseAddress, 2, min(duration, wakeUp.longestSleep).pollMilliseconds)
        }
        let isSignalled = descriptors[1].revents != 0
        commands.didWake(signalled: isSignalled)
        return descriptors[0].revents != 0 || !isSignalled
    }

    /// Lets the role finish, within the closing timeout, and says good-bye.
    private func finish(
        _ session: Session,
        _ transport: any Transport,
        _ role: Role
    ) throws(AMQPError) -> AMQPError {
        let deadline = ContinuousClock.now + configuration.closingTimeout
        while try !role.finish(transport), ContinuousClock.now < deadline {
            let isDrained = try receive(transport, role)
            let sleep = nextSleep(session, transport, role, isDrained: isDrained, isEnding: true)
            _ = perform(sleep, socket: session.socket)
            role.take(commands.takeAll().commands)
            try write(transport, role)
        }
        // A broker under alarm does not read what publishers send: the good-bye would wait for its answer in vain, and there
        // is nothing on the way that it could save.
        if case .blocked = board.current { session.abandon() }
        session.close(within: max(.milliseconds(100), ContinuousClock.now.duration(to: deadline)))
        return AMQPError(code: .closed, reason: "the connection was closed by this service")
    }

    /// Waits before the next attempt; commands are answered meanwhile.
    private func pause(_ duration: Duration, _ role: Role) {
        let end = ContinuousClock.now + duration
        while true {
            let (taken, isStopping) = commands.takeAll()
            if !taken.isEmpty { role.take(taken) }
            let left = ContinuousClock.now.duration(to: end)
            guard !isStopping, left > .zero else { return }
            if commands.willSleep() { _ = sleep(left, socket: -1, events: 0) }
        }
    }
}
