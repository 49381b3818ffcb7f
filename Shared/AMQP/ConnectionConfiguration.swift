/// Where and how to connect.
public struct ConnectionConfiguration: Sendable {
    /// AMQP URIs in order of preference, `amqp://user:password@host:port/vhost`; at least one.
    public private(set) var urls: [String]
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

    let endpoints: [Endpoint]

    /// Checks the URIs and makes a configuration.
    ///
    /// - Throws: `AMQPError` with code `.invalidURL`, with credentials redacted.
    public init(urls: [String], name: String) throws {
        guard !urls.isEmpty else { throw AMQPError(code: .invalidURL, reason: "there is no broker URI") }
        var endpoints: [Endpoint] = []
        for url in urls {
            endpoints.append(try Endpoint(uri: url))
        }
        self.endpoints = endpoints
        self.urls = urls
        self.name = name
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
