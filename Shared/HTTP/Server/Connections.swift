import CSockets
import Glibc
import Telemetry

/// All connections of a server, and what it does with each; on the loop's thread only.
final class Connections {
    /// What epoll tells events by; connections have higher numbers.
    private enum Token {
        static let listener: UInt64 = 0
        static let wakeup: UInt64 = 1
    }

    private let loop: ServerLoop
    private let limits: HTTPServer.Limits
    private let listener: Int32
    private let epoll: Int32
    private let wakeup: Int32
    private var connections: [UInt64: Connection] = [:]
    private var perPeer: [PeerAddress: Int] = [:]
    private var nextID = Token.wakeup + 1
    private var now: UInt64 = 0
    /// No deadline is earlier than this.
    private var nextDeadline = UInt64.max
    private var writer = ResponseWriter()
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)
    private var statistics = HTTPServer.Statistics()
    private var roles: [Connection.Role: Int] = [:]
    private var isQuiescing = false
    private var isEnding = false
    /// When connections are accepted again: while it lies ahead, those that knock wait.
    private var acceptsAgain: UInt64?
    private var notices = Notices()

    /// How long one that was answered may be silent before it is ended, and how long it may go on sending.
    private static let lingering: (silence: UInt64, whole: UInt64) = (2_000_000_000, 30_000_000_000)
    private static let silence: UInt64 = 1_000_000_000
    private static let pause: UInt64 = 100_000_000

    init(loop: ServerLoop, listener: Int32, epoll: Int32, wakeup: Int32) {
        self.loop = loop
        limits = loop.limits
        self.listener = listener
        self.epoll = epoll
        self.wakeup = wakeup
        statistics.limit = limits.connections
    }

    /// Serves until the loop is told to end.
    func serve() {
        _ = warren_epoll_watch(epoll, EPOLL_CTL_ADD, listener, UInt32(EPOLLIN.rawValue), Token.listener)
        _ = warren_epoll_watch(epoll, EPOLL_CTL_ADD, wakeup, UInt32(EPOLLIN.rawValue), Token.wakeup)
        var events = [warren_event](repeating: warren_event(), count: 256)
        while !isEnding {
            now = Self.clock()
            let count = unsafe warren_epoll_wait(epoll, &events, Int32(events.count), wait())
            now = Self.clock()
            for event in events.prefix(Int(max(0, count))) {
                switch event.token {
                case Token.listener: accept()
                case Token.wakeup: obey()
                default: happened(event.events, on: event.token)
                }
            }
            endOverdue()
            report()
        }
        for connection in Array(connections.values) { abandon(connection) }
        if !isQuiescing { close(listener) }
        report()
    }

    /// Nanoseconds of a clock that nobody sets.
    private static func clock() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Milliseconds until something has to be done by time; -1 for ever.
    private func wait() -> Int32 {
        let next = min(nextDeadline, acceptsAgain ?? .max)
        guard next != .max else { return -1 }
        return next <= now ? 0 : Int32(clamping: (next - now) / 1_000_000 + 1)
    }

    private func obey() {
        var count: UInt64 = 0
        _ = unsafe read(wakeup, &count, 8)
        let orders = loop.orders()
        if orders.isQuiescing, !isQuiescing {
            isQuiescing = true
            acceptsAgain = nil
            // Who knocks now is refused, instead of waiting in the socket's queue for an answer that never comes.
            close(listener)
        }
        for (id, response) in orders.answers {
            guard let connection = connections[id], case .handling = connection.phase else { continue }
            write(response, on: connection)
            settle(connection)
        }
        isEnding = orders.isEnding
    }

    // MARK: - Accepting

    private func accept() {
        // Those that are open come first again after so many.
        for _ in 0..<64 where !isQuiescing {
            let isFull = connections.count >= limits.connections
            let leaver = isFull ? dispensable(of: nil) : nil
            guard !isFull || leaver != nil else {
                notices.allBusy += 1
                return stopAccepting()
            }
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let (socket, peer) = unsafe withUnsafeMutableBytes(of: &storage) { bytes -> (Int32, PeerAddress?) in
                guard let base = bytes.baseAddress else { return (-1, nil) }
                let address = unsafe base.assumingMemoryBound(to: sockaddr.self)
                let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
                let socket = unsafe accept4(listener, address, &length, flags)
                return (socket, socket < 0 ? nil : unsafe PeerAddress(address))
            }
            guard socket >= 0 else {
                switch errno {
                case EAGAIN: return
                case EINTR, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, ENETUNREACH: continue
                default:
                    notices.failure = errno
                    if let leaver = dispensable(of: nil) { displace(leaver) }
                    return stopAccepting()
                }
            }
            guard let peer else {
                close(socket)
                continue
            }
            if let leaver { displace(leaver) }
            take(socket, from: peer)
        }
    }

    private func take(_ socket: Int32, from peer: PeerAddress) {
        var one: Int32 = 1
        _ = unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        let isWithin = perPeer[peer, default: 0] < limits.perPeer
        let leaver = isWithin ? nil : dispensable(of: peer)
        if let leaver { displace(leaver) }
        let connection = Connection(
            id: nextID,
            socket: socket,
            peer: peer,
            limits: limits,
            now: now,
            interest: UInt32(EPOLLIN.rawValue)
        )
        nextID += 1
        guard warren_epoll_watch(epoll, EPOLL_CTL_ADD, socket, connection.interest, connection.id) == 0 else {
            close(socket)
            return
        }
        connections[connection.id] = connection
        perPeer[peer, default: 0] += 1
        statistics.accepted += 1
        if isWithin || leaver != nil {
            setDeadline(now + limits.idle.nanoseconds, of: connection)
        } else {
            count(.refused)
            notices.perPeer += 1
            refuse(.tooManyConnections, on: connection)
        }
        settle(connection)
    }

    /// A connection that no handler works for, of that peer or of any.
    ///
    /// First of those that wait for a request, or have had their answer; else one whose body does not go on arriving.
    private func dispensable(of peer: PeerAddress?) -> Connection? {
        let ofPeer = connections.values.lazy.filter { peer == nil || $0.peer == peer }
        let idle = ofPeer.filter { $0.role == .waiting || $0.role == .leaving }
        let silentSince = now - min(now, Self.silence)
        let stuck = ofPeer.filter { $0.role == .sending && $0.lastActivity < silentSince }
        func candidate(_ connection: Connection) -> Displacement.Candidate {
            Displacement.Candidate(id: connection.id, peer: connection.peer, since: connection.lastActivity)
        }
        let id = Displacement.choose(among: idle.map(candidate)) ?? Displacement.choose(among: stuck.map(candidate))
        return id.flatMap { connections[$0] }
    }

    private func displace(_ connection: Connection) {
        count(.displaced)
        notices.displaced += 1
        end(connection)
    }

    private func stopAccepting() {
        guard acceptsAgain == nil, !isQuiescing else { return }
        acceptsAgain = now + Self.pause
        _ = warren_epoll_watch(epoll, EPOLL_CTL_MOD, listener, 0, Token.listener)
    }

    private func acceptAgain() {
        guard acceptsAgain != nil, !isQuiescing else { return }
        acceptsAgain = nil
        _ = warren_epoll_watch(epoll, EPOLL_CTL_MOD, listener, UInt32(EPOLLIN.rawValue), Token.listener)
    }

    // MARK: - Reading

    private func happened(_ events: UInt32, on id: UInt64) {
        guard let connection = connections[id] else { return }
        let isReadable = events & UInt32(EPOLLIN.rawValue) != 0
        let isBroken = events & UInt32(EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
        switch connection.phase {
        case .reading: receive(connection)
        case .lingering: drop(connection)
        case .writing where events & UInt32(EPOLLOUT.rawValue) != 0: continueWriting(connection)
        case .writing where isBroken: end(connection)
        // The handler is let end; its answer finds out. Epoll would tell of it without end.
        case .handling where isBroken: _ = warren_epoll_watch(epoll, EPOLL_CTL_DEL, connection.socket, 0, id)
        // The next request waits in the socket until this one has been answered.
        case .handling, .writing: if isReadable { watch(connection, connection.interest & ~UInt32(EPOLLIN.rawValue)) }
        }
        settle(connection)
    }

    private func receive(_ connection: Connection) {
        let count = recv(on: connection)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard count > 0 else { return end(connection) }
        connection.lastActivity = now
        connection.requests.receive(buffer[..<count])
        advance(connection)
    }

    private func recv(on connection: Connection) -> Int {
        unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.recv(connection.socket, $0.baseAddress, $0.count, 0) }
    }

    /// Does what can be done with what has arrived.
    private func advance(_ connection: Connection) {
        while case .reading = connection.phase {
            switch connection.requests.next() {
            case .wait: return expectMore(connection)
            case .allowBody:
                connection.output = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
                // So short an answer goes out at once, or the connection is broken.
                guard connection.send() == .done else { return end(connection) }
            case .answer(let request): handle(request, on: connection)
            case .refuse(let problem):
                count(.malformed)
                refuse(problem, on: connection)
            }
        }
    }

    /// Sets the deadline for what is missing of a request.
    private func expectMore(_ connection: Connection) {
        let progress = connection.requests.progress
        guard connection.deadline == nil || progress != connection.progress else { return }
        connection.progress = progress
        let limit =
            switch progress {
            case .nothing: limits.idle
            case .head: limits.head
            case .body: limits.body
            }
        setDeadline(now + limit.nanoseconds, of: connection)
    }

    // MARK: - Answering

    private func handle(_ request: RequestReader.Request, on connection: Connection) {
        let head = request.head
        connection.isHead = head.method == "HEAD"
        connection.closesAfter = !head.keepsAlive
        guard !isQuiescing else { return refuse(.stopping, on: connection) }
        var message = HTTPRequest(method: head.method, target: head.target)
        message.headers = head.headers
        message.body = request.body
        message.peer = connection.peer
        message.isLoopback = connection.peer.isLoopback
        connection.deadline = nil
        connection.phase = .handling(
            Task { [loop, message, id = connection.id] in
                loop.answer(await loop.router.respond(to: message, logger: loop.logger), on: id)
            }
        )
    }

    /// Answers in place of a handler, and ends the connection.
    private func refuse(_ problem: Problem, on connection: Connection) {
        loop.router.onRefusal(connection.requests.method, problem.status)
        connection.isHead = connection.requests.method == "HEAD"
        connection.closesAfter = true
        write(problem.response, on: connection)
    }

    private func write(_ response: HTTPResponse, on connection: Connection) {
        var response = response
        if !(200...599).contains(response.status) || !response.headers.fields.allSatisfy(\.isValid) {
            loop.logger.error(
                "A handler's answer is not valid HTTP",
                [LogField("http.response.status_code", response.status)]
            )
            response = Problem.internalError.response
        }
        if isQuiescing { connection.closesAfter = true }
        connection.output = writer.bytes(of: response, isHead: connection.isHead, closes: connection.closesAfter)
        connection.phase = .writing
        continueWriting(connection)
    }

    private func continueWriting(_ connection: Connection) {
        switch connection.send() {
        case .broken: end(connection)
        case .blocked:
            setDeadline(now + limits.idle.nanoseconds, of: connection)
            watch(connection, connection.interest | UInt32(EPOLLOUT.rawValue))
        case .done: connection.closesAfter ? linger(connection) : readAgain(connection)
        }
    }

    private func readAgain(_ connection: Connection) {
        connection.phase = .reading
        connection.isHead = false
        connection.deadline = nil
        connection.lastActivity = now
        watch(connection, UInt32(EPOLLIN.rawValue))
        acceptAgain()
        advance(connection)
    }

    /// Ends the connection once the client has done so, is silent, or sends for too long.
    private func linger(_ connection: Connection) {
        connection.phase = .lingering(dropped: 0, until: now + Self.lingering.whole)
        guard shutdown(connection.socket, Int32(SHUT_WR)) == 0 else { return end(connection) }
        setDeadline(now + Self.lingering.silence, of: connection)
        watch(connection, UInt32(EPOLLIN.rawValue))
    }

    private func drop(_ connection: Connection) {
        guard case .lingering(let dropped, let end) = connection.phase else { return }
        let count = recv(on: connection)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard count > 0, dropped + count <= max(limits.bodySize, 1 << 20) * 8 else { return self.end(connection) }
        connection.phase = .lingering(dropped: dropped + count, until: end)
        setDeadline(min(now + Self.lingering.silence, end), of: connection)
    }

    // MARK: - Ending

    private func setDeadline(_ deadline: UInt64, of connection: Connection) {
        connection.deadline = deadline
        nextDeadline = min(nextDeadline, deadline)
    }

    private func endOverdue() {
        if let again = acceptsAgain, again <= now { acceptAgain() }
        guard nextDeadline <= now else { return }
        for connection in Array(connections.values) {
            guard let deadline = connection.deadline, deadline <= now else { continue }
            switch (connection.phase, connection.requests.progress) {
            case (.reading, .nothing):
                count(.idle)
                end(connection)
            case (.reading, _):
                count(.slow)
                refuse(.requestTimeout, on: connection)
            case (.writing, _):
                count(.stalled)
                end(connection)
            case (.lingering, _), (.handling, _): end(connection)
            }
            settle(connection)
        }
        // Not more often than ten times a second, whatever the connections.
        let next = connections.values.lazy.compactMap(\.deadline).min() ?? .max
        nextDeadline = next == .max ? .max : max(next, now + Self.pause)
    }

    private func end(_ connection: Connection) {
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        let rest = perPeer[connection.peer, default: 1] - 1
        perPeer[connection.peer] = rest > 0 ? rest : nil
        settle(connection)
        // Epoll forgets a descriptor that is closed.
        close(connection.socket)
        acceptAgain()
    }

    /// Answers in place of the handler, if one works, and ends the connection.
    private func abandon(_ connection: Connection) {
        if case .handling(let task) = connection.phase {
            task.cancel()
            loop.router.onRefusal(connection.requests.method, Problem.stopping.status)
            connection.output = writer.bytes(of: Problem.stopping.response, isHead: connection.isHead, closes: true)
            _ = connection.send()
        }
        shutdown(connection.socket, Int32(SHUT_WR))
        end(connection)
    }

    private func watch(_ connection: Connection, _ interest: UInt32) {
        guard connection.interest != interest else { return }
        connection.interest = interest
        _ = warren_epoll_watch(epoll, EPOLL_CTL_MOD, connection.socket, interest, connection.id)
    }

    private func count(_ reason: HTTPServer.Statistics.Closing) { statistics.closed[reason, default: 0] += 1 }

    /// Counts the connection anew, as what it is now.
    private func settle(_ connection: Connection) {
        let role: Connection.Role? = connections[connection.id] == nil ? nil : connection.role
        guard connection.counted != role else { return }
        if let before = connection.counted { roles[before, default: 0] -= 1 }
        if let role { roles[role, default: 0] += 1 }
        connection.counted = role
    }

    private func report() {
        statistics.waiting = roles[.waiting, default: 0]
        statistics.active = connections.count - statistics.waiting
        let busy = roles[.sending, default: 0] + roles[.working, default: 0]
        loop.report(statistics, busy: busy, hasQuiesced: isQuiescing)
        notices.write(to: loop.logger, limits: limits, now: now)
    }
}
