/// A request as a handler sees it.
public struct HTTPRequest: Sendable {
    /// The method, `GET` for example; case matters.
    public var method: String
    /// The decoded path, without the query.
    public var path: String {
        didSet { segments = Self.split(path) }
    }
    /// Values of `{name}` segments of the route.
    public var parameters: [String: String] = [:]
    /// Decoded query items in order.
    public var query: [(name: String, value: String)] = []
    /// The header fields.
    public var headers: HTTPHeaders = [:]
    /// The whole body; empty when there is none.
    public var body: [UInt8] = []
    /// Who connects, which is the proxy where there is one; nil in a request that came over no connection.
    public var peer: PeerAddress?
    /// The peer connects from 127.0.0.0/8 or ::1.
    public var isLoopback = false
    /// Who sends it; nil until somebody has made sure of it.
    public var caller: Caller?
    /// The path's segments, each decoded by itself, so that an encoded slash separates nothing.
    private(set) var segments: [String]

    /// Makes a request without a query, headers and a body.
    public init(method: String, path: String) {
        self.method = method
        self.path = path
        self.segments = Self.split(path)
    }

    init(method: String, target: RequestTarget) {
        self.method = method
        self.path = "/" + target.segments.joined(separator: "/")
        self.segments = target.segments
        self.query = target.query
    }

    /// The first query item of that name.
    public func queryValue(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    private static func split(_ path: String) -> [String] {
        guard path != "/" else { return [] }
        return path.dropFirst(path.hasPrefix("/") ? 1 : 0).split(separator: "/", omittingEmptySubsequences: false)
            .map(String.init)
    }
}
