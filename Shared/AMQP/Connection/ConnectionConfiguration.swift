/// Where and how to connect.
public struct ConnectionConfiguration: Sendable {
    /// AMQP URIs in order of preference, `amqp://user:password@host:port/vhost`; at least one.
    ///
    /// Every message that is published names in `user-id` the user of the URI, or of `credentials`; RabbitMQ has checked it,
    /// so that whoever gets the message knows who sent it. A URI with `user_id=none` keeps it out: for a broker that calls the
    /// user otherwise than it logged in, as with OAuth 2 tokens. Where a certificate logs in, the user is not known here.
    ///
    /// Where they come from a source, what it gave when the configuration was made.
    public private(set) var urls: [String]
    /// Gives user and password for each attempt to connect, in place of what the URI says; nil for the URI's.
    ///
    /// So a password that is rotated (read from a file, asked of a vault) is taken at the next connection without a restart.
    /// It is called on a thread of the client's own and may read a file, but should answer within seconds. Where it
    /// throws, the attempt has failed and the next one asks again; the error's description is shown as the cause and must
    /// hold no secret. It is not asked for an endpoint that authenticates by certificate (`auth_mechanism=external`).
    public var credentials: (@Sendable () throws -> Credentials)?
    /// Seconds between heartbeats that the client asks for; default 10.
    ///
    /// A URI's `heartbeat` goes before it.
    public var heartbeat: Int = 10
    /// How long connecting and each call may take; default 10 s.
    ///
    /// A call that hangs longer loses its connection.
    public var timeout: Duration = .seconds(10)
    /// How long the end of `run` may take once it is cancelled; default 3 s.
    public var closingTimeout: Duration = .seconds(3)
    /// The name shown in the broker's management pages.
    public var name: String
    /// The first and the longest pause between attempts to reconnect (full jitter).
    public var backoff: ClosedRange<Duration> = .milliseconds(100) ... .seconds(5)
    /// The largest body that is received, in bytes; of a larger one the first bytes up to this number are delivered, with
    /// `isOversized`.
    public var maximumBodySize: Int = 1 << 20

    /// Has the C library read and write the frames of unencrypted connections too, as it does those of encrypted ones.
    ///
    /// For tests of that way without certificates.
    package var usesLibraryTransport = false

    let endpoints: [Endpoint]
    private let source: (@Sendable () throws -> [String])?

    /// Checks the URIs and makes a configuration.
    ///
    /// - Throws: `AMQPError` with code `.invalidURL`, with credentials redacted.
    public init(urls: [String], name: String) throws {
        self.endpoints = try Self.endpoints(urls)
        self.urls = urls
        self.name = name
        source = nil
    }

    /// Makes a configuration whose URIs are read again before each attempt to connect, as from a file whose secret is
    /// rotated.
    ///
    /// - Parameter source: gives the URIs; now, and later on a thread of the client's own. Where it throws, or an URI is not
    ///   valid, the attempt has failed and the next one asks again; the error's description is shown as the cause and must
    ///   hold no secret.
    /// - Throws: what `source` throws; `AMQPError` with code `.invalidURL`, with credentials redacted.
    public init(name: String, urls source: @escaping @Sendable () throws -> [String]) throws {
        let urls = try source()
        self.endpoints = try Self.endpoints(urls)
        self.urls = urls
        self.name = name
        self.source = source
    }

    /// The endpoints as they are now.
    func currentEndpoints() throws(AMQPError) -> [Endpoint] {
        guard let source else { return endpoints }
        return try Self.endpoints(Self.ask("the broker's URIs", source))
    }

    /// The endpoint with the credentials as they are now.
    func authenticated(_ endpoint: Endpoint) throws(AMQPError) -> Endpoint {
        guard let credentials, case .plain = endpoint.authentication else { return endpoint }
        let current = try Self.ask("the credentials", credentials)
        // C strings are made of both: a NUL would silently shorten them.
        guard !current.user.utf8.contains(0), !current.password.utf8.contains(0) else {
            throw AMQPError(code: .connectionFailed, reason: "the credentials hold a NUL")
        }
        var endpoint = endpoint
        endpoint.authentication = .plain(user: current.user, password: current.password)
        return endpoint
    }

    private static func ask<Answer>(
        _ what: String,
        _ source: @Sendable () throws -> Answer
    ) throws(AMQPError) -> Answer {
        do {
            return try source()
        } catch {
            throw AMQPError(code: .connectionFailed, reason: "\(what) could not be had: \(error)")
        }
    }

    private static func endpoints(_ urls: [String]) throws(AMQPError) -> [Endpoint] {
        guard !urls.isEmpty else { throw AMQPError(code: .invalidURL, reason: "there is no broker URI") }
        var endpoints: [Endpoint] = []
        for url in urls {
            endpoints.append(try Endpoint(uri: url))
        }
        return endpoints
    }
}

extension ConnectionConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The brokers without their credentials, and the connection's name.
    public var description: String { "\(name) at \(endpoints.map(\.redacted).joined(separator: ", "))" }
    /// The same as `description`.
    public var debugDescription: String { description }
    /// Shows nothing of the URIs, which hold credentials.
    public var customMirror: Mirror { Mirror(self, children: ["name": name]) }
}
