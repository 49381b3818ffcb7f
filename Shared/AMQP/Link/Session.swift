import CRabbitMQ
import Glibc

/// One AMQP connection with one channel, from connecting to closing.
///
/// It owns the C library's connection and is used by its link's thread alone.
///
/// Every call that can wait for the peer is bounded: by the library's own timeouts where it has them, by the link's
/// `CallGuard` in any case. After any error that it throws, except `.invalidMessage`, the session is of no more use.
@safe final class Session {
    /// The largest frame that the client offers, in bytes: the library's and the broker's default.
    ///
    /// Zero would mean none.
    static let frameSize = 131_072
    /// The only channel.
    static let channel: UInt16 = 1

    let connection: amqp_connection_state_t
    let callGuard: CallGuard
    let timeout: Duration
    let arena = CArena()
    private let maximumBodySize: Int
    private let isEncrypted: Bool
    /// Whom published messages name as their user.
    let user: String?
    private var transport: (any Transport)?
    /// The largest frame that both sides agreed on.
    private(set) var frameSize = Session.frameSize
    /// The agreed pause between heartbeats in seconds; 0 for none.
    private(set) var heartbeat = 0
    private var isOpen = false
    /// How many messages the queues had ready that were declared.
    var readyMessages: [String: Int] = [:]

    /// The socket, for `poll`.
    var socket: Int32 { unsafe amqp_get_sockfd(connection) }

    /// Connects, authenticates and opens the channel.
    ///
    /// - Throws: `AMQPError` with code `.connectionFailed` or `.accessRefused`.
    init(_ endpoint: Endpoint, _ configuration: ConnectionConfiguration, _ callGuard: CallGuard) throws(AMQPError) {
        guard let connection = unsafe amqp_new_connection() else {
            throw AMQPError(code: .connectionFailed, reason: "there is no memory for a connection")
        }
        unsafe self.connection = connection
        self.callGuard = callGuard
        timeout = endpoint.connectionTimeout ?? configuration.timeout
        maximumBodySize = configuration.maximumBodySize
        isEncrypted = endpoint.security != nil || configuration.usesLibraryTransport
        user = endpoint.publishingUser
        try connect(to: endpoint)
        try logIn(to: endpoint, configuration)
        frameSize = Int(unsafe amqp_get_frame_max(connection))
        heartbeat = Int(unsafe amqp_get_heartbeat(connection))
        isOpen = true

        var limit = timeval(configuration.timeout)
        unsafe amqp_set_rpc_timeout(connection, &limit)
        try call("opening the channel") { unsafe _ = amqp_channel_open(connection, Self.channel) }
    }

    deinit {
        // Freeing a TLS connection may wait for the peer's part of the good-bye.
        _ = try? callGuard.bound(to: .seconds(1)) { () throws(AMQPError) in
            unsafe _ = amqp_destroy_connection(connection)
        }
        callGuard.watch(-1)
    }

    /// The frames from now on; to be called once, when everything is declared.
    ///
    /// - Parameter number: the link's count of connections.
    func open(number: UInt64) throws(AMQPError) -> any Transport {
        let transport: any Transport
        if isEncrypted {
            transport = LibraryTransport(self, maximumBodySize: maximumBodySize, number: number)
        } else {
            transport = PlainTransport(
                arrived: try letGoOfSocket(),
                socket: socket,
                channel: Self.channel,
                frameSize: frameSize,
                user: user,
                heartbeat: heartbeat,
                maximumBodySize: maximumBodySize,
                connection: number,
                timeout: timeout
            )
        }
        self.transport = transport
        return transport
    }

    /// Takes out of the C library what it has read: a heartbeat, a word about an alarm, a part of one.
    ///
    /// - Returns: what the frames say.
    private func letGoOfSocket() throws(AMQPError) -> [IncomingFrame] {
        let library = LibraryTransport(self, maximumBodySize: maximumBodySize, number: 0)
        let deadline = ContinuousClock.now + timeout
        var frames: [IncomingFrame] = []
        while unsafe amqp_data_in_buffer(connection) != 0 || amqp_frames_enqueued(connection) != 0
            || amqp_release_buffers_ok(connection) == 0
        {
            guard ContinuousClock.now < deadline else {
                throw AMQPError(code: .connectionFailed, reason: "opening the channel: the broker stopped in mid-frame")
            }
            _ = try library.receive(limit: 1, waiting: .milliseconds(50)) { frames.append($0) }
        }
        return frames
    }

    private func connect(to endpoint: Endpoint) throws(AMQPError) {
        let what = "connecting to \(endpoint.redacted)"
        let transport: OpaquePointer
        if let security = endpoint.security {
            unsafe transport = try makeSecureSocket(security)
        } else {
            guard let plain = unsafe amqp_tcp_socket_new(connection) else {
                throw AMQPError(code: .connectionFailed, reason: "\(what): there is no memory")
            }
            unsafe transport = plain
        }
        var limit = timeval(timeout)
        let status = unsafe amqp_socket_open_noblock(transport, endpoint.host, Int32(endpoint.port), &limit)
        guard status == 0 else {
            let error = AMQPError(status: status, doing: what, code: .connectionFailed)
            throw error.mended(by: endpoint.mend(ofConnecting: status))
        }
        callGuard.watch(socket)
        // Data that the peer does not acknowledge ends the connection, whatever the library is doing at the time.
        var milliseconds = UInt32(clamping: Int(timeout.pollMilliseconds))
        unsafe setsockopt(
            socket,
            Int32(IPPROTO_TCP),
            TCP_USER_TIMEOUT,
            &milliseconds,
            socklen_t(MemoryLayout<UInt32>.size)
        )
    }

    private func logIn(to endpoint: Endpoint, _ configuration: ConnectionConfiguration) throws(AMQPError) {
        var limit = timeval(timeout)
        unsafe amqp_set_handshake_timeout(connection, &limit)
        arena.reset()
        // What the library does not announce by itself: without these the broker ends a consumer, or blocks, silently.
        let properties: FieldTable = [
            "product": .string("Warren"),
            "connection_name": .string(configuration.name),
            "capabilities": .table([
                "consumer_cancel_notify": .boolean(true),
                "connection.blocked": .boolean(true),
                "publisher_confirms": .boolean(true),
                "basic.nack": .boolean(true),
            ]),
        ]
        var table = unsafe properties.makeC(in: arena)
        let frameSize = Int32(Self.frameSize)
        let heartbeat = Int32(clamping: endpoint.heartbeat ?? configuration.heartbeat)
        let virtualHost = endpoint.virtualHost
        let reply = try unsafe callGuard.bound(to: timeout * 1.5) { () throws(AMQPError) -> amqp_rpc_reply_t in
            switch endpoint.authentication {
            case .plain(let user, let password):
                unsafe warren_login_plain(connection, virtualHost, frameSize, heartbeat, &table, user, password)
            case .external:
                // The certificate says who it is. RabbitMQ ignores the identity, but without one the library fails for want of
                // memory: its pool gives none of size zero.
                unsafe warren_login_external(connection, virtualHost, frameSize, heartbeat, &table, "certificate")
            }
        }
        if let error = unsafe AMQPError(
            reply,
            doing: "authenticating at \(endpoint.redacted)",
            code: .connectionFailed
        ) {
            throw unsafe error.mended(by: endpoint.mend(ofLoggingIn: reply))
        }
        arena.reset()
    }

    /// Runs a call that waits for the broker's answer, and reads the answer.
    func call(_ what: String, _ body: () -> Void) throws(AMQPError) {
        try callGuard.bound(to: timeout * 1.5) { () throws(AMQPError) in body() }
        let reply = unsafe amqp_get_rpc_reply(connection)
        if let error = unsafe AMQPError(reply, doing: what) {
            if unsafe reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION { isOpen = false }
            throw error
        }
    }

    /// The connection is unusable: closing it says no good-bye.
    func abandon() {
        isOpen = false
    }

    /// Says good-bye, within that time; freeing follows with the last reference.
    func close(within limit: Duration) {
        guard isOpen else { return }
        isOpen = false
        (transport ?? LibraryTransport(self, maximumBodySize: 0, number: 0)).close(within: limit)
    }
}

extension timeval {
    /// The C library rounds down to whole milliseconds; so does this, to one at least.
    init(_ duration: Duration) {
        let milliseconds = max(1, Int(duration.pollMilliseconds))
        self.init(tv_sec: milliseconds / 1_000, tv_usec: milliseconds % 1_000 * 1_000)
    }
}
