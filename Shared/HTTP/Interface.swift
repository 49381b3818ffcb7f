// The module's interface, to be spread over files named for their concepts as it is implemented.
public import Telemetry

/// Header fields: ordered, names compared without case, a name may occur several times.
public struct HTTPHeaders: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) { fatalError() }
    public subscript(name: String) -> String? { get { fatalError() } set { fatalError() } }
}

/// A request as a handler sees it.
public struct HTTPRequest: Sendable {
    public var method: String
    /// The decoded path, without the query.
    public var path: String
    /// Values of `{name}` segments of the route.
    public var parameters: [String: String]
    /// Decoded query items in order.
    public var query: [(name: String, value: String)]
    public var headers: HTTPHeaders
    public var body: [UInt8]
    /// The peer connects from 127.0.0.0/8 or ::1.
    public var isLoopback: Bool
    public init(method: String, path: String) { fatalError() }
    /// The first query item of that name.
    public func queryValue(_ name: String) -> String? { fatalError() }
    /// Decodes a JSON body. Throws a `Problem` (400, 415 or 422) that names the field.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { fatalError() }
}

/// An answer.
public struct HTTPResponse: Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    public var body: [UInt8]
    public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) { fatalError() }
    /// `application/json` (or another JSON type).
    public static func json(_ value: some Encodable, status: Int = 200, contentType: String = "application/json", headers: HTTPHeaders = [:]) throws -> HTTPResponse { fatalError() }
    public static func text(_ text: String, status: Int = 200, contentType: String = "text/plain; charset=utf-8") -> HTTPResponse { fatalError() }
}

/// An RFC 9457 problem: thrown by a handler, answered as `application/problem+json`.
public struct Problem: Error, Sendable, Equatable {
    /// One fault of the input: `field` is a JSON path such as `items[0].quantity`, a header or a parameter name.
    public struct Fault: Sendable, Codable, Equatable {
        public var field: String
        public var detail: String
        public init(field: String, detail: String) { self.field = field; self.detail = detail }
    }
    public var status: Int
    /// Stable slug, `invalid-request`; becomes `type: "/problems/<slug>"`.
    public var slug: String
    public var title: String
    public var detail: String?
    public var faults: [Fault]
    public var headers: HTTPHeaders
    public init(status: Int, slug: String, title: String, detail: String? = nil, faults: [Fault] = [], headers: HTTPHeaders = [:]) { fatalError() }
    public var response: HTTPResponse { fatalError() }
}

/// Routes to handlers. `{name}` matches one segment. 404 and 405 (with `Allow`) are answered by the router.
public struct Router: Sendable {
    public typealias Handler = @Sendable (HTTPRequest) async throws -> HTTPResponse
    public init() { fatalError() }
    public mutating func on(_ method: String, _ pattern: String, _ handler: @escaping Handler) { fatalError() }
    /// Answers a request; never throws: a `Problem` becomes its response, any other error a logged 500 problem.
    public func respond(to request: HTTPRequest, logger: Logger) async -> HTTPResponse { fatalError() }
    /// Method and pattern of every route, in order of registration.
    public var routes: [(method: String, pattern: String)] { fatalError() }
}

/// A server over libmicrohttpd.
public final class HTTPServer: Sendable {
    public struct Limits: Sendable {
        public var bodySize = 1 << 20
        public var headerSize = 16 << 10
        public var connections = 512
        public var connectionsPerPeer = 256
        public var idle: Duration = .seconds(30)
        /// The longest that reading one whole request may take.
        public var request: Duration = .seconds(30)
        public init() {}
    }
    /// `address` is `host:port`, port 0 picks a free one.
    public init(address: String, router: Router, limits: Limits = Limits(), logger: Logger) throws { fatalError() }
    /// Binds and serves; throws when the address cannot be bound. After cancellation it accepts no more, lets requests
    /// in work end within `grace`, and returns.
    public func run(grace: Duration = .seconds(5)) async throws { fatalError() }
    /// The bound port, once serving; waits for it.
    public func port() async throws -> Int { fatalError() }
}

/// A client over libcurl, with one thread for any number of requests and reuse of connections.
public final class HTTPClient: Sendable {
    public struct Request: Sendable {
        public var method: String
        public var url: String
        public var headers: HTTPHeaders = [:]
        public var body: [UInt8] = []
        /// The whole exchange.
        public var timeout: Duration = .seconds(30)
        public var connectTimeout: Duration = .seconds(5)
        /// HTTP Basic credentials; never logged.
        public var basicCredentials: (user: String, password: String)?
        public var maximumBodySize = 8 << 20
        public init(_ method: String, _ url: String) { self.method = method; self.url = url }
    }
    public struct Response: Sendable {
        public var status: Int
        public var headers: HTTPHeaders
        public var body: [UInt8]
        public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { fatalError() }
    }
    /// Why no response came. `isUnknown` says that the request may have been carried out.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public enum Code: Sendable { case invalidURL, unresolved, refused, timeout, reset, tls, tooLarge, cancelled, other }
        public let code: Code
        public let reason: String
        public var isUnknown: Bool { fatalError() }
        public var description: String { "\(code): \(reason)" }
    }
    public init() { fatalError() }
    /// Sends a request. Throws `Failure`. Cancelling the task ends the transfer.
    public func send(_ request: Request) async throws -> Response { fatalError() }
    /// Ends transfers in flight and the thread.
    public func close() { fatalError() }
}

/// A mail and the client that hands it to an SMTP server through libcurl.
public struct Mail: Sendable {
    public var messageID: String
    public var from: String
    public var to: String
    public var subject: String
    public var text: String
    public var date: String
    /// Throws `SMTPFailure` when an address or header holds a control character or a line separator.
    public init(messageID: String, from: String, to: String, subject: String, text: String, date: String) throws { fatalError() }
}

public struct SMTPFailure: Error, Sendable, CustomStringConvertible {
    /// The server's reply code (4xx: a retry can help, 5xx: it cannot), nil when none came.
    public let replyCode: Int?
    public let reason: String
    public var isPermanent: Bool { fatalError() }
    public var description: String { reason }
}

public final class SMTPClient: Sendable {
    /// `url` is `smtp://host:port` or `smtps://…`, with optional credentials.
    public init(url: String, timeout: Duration = .seconds(600), connectTimeout: Duration = .seconds(10)) throws { fatalError() }
    /// Returns after the server took the mail (250 after the final dot). Throws `SMTPFailure`.
    public func send(_ mail: Mail) async throws { fatalError() }
    public func close() { fatalError() }
}
