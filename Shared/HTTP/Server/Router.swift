public import Telemetry

/// Routes to handlers.
///
/// `{name}` matches one segment. 404 and 405 (with `Allow`) are answered by the router.
///
/// Where several patterns match a path, the one with a literal in the first segment that differs wins. `HEAD` is answered by
/// the handler of `GET`, unless it has its own.
public struct Router: Sendable {
    /// Answers one request; may be called from any thread and concurrently with itself.
    public typealias Handler = @Sendable (HTTPRequest) async throws -> HTTPResponse

    private struct Route: Sendable {
        let method: String
        let pattern: RoutePattern
        let handler: Handler
    }

    private var table: [Route] = []
    private let passOn: (@Sendable (HTTPRequest, Logger) async -> HTTPResponse)?

    /// Called with method and status for each request that no handler is asked for.
    ///
    /// That is what the router answers itself (404 and 405) and, before the router, the server: what is malformed, too
    /// large, or comes while it stops. The method is what the client sent, so it may be anything; it is empty where it
    /// could not be read. Called from any thread; must not block.
    public var onRefusal: @Sendable (_ method: String, _ status: Int) -> Void = { _, _ in }

    /// Looks at every request before its route is sought, so that who may not ask does not learn what there is.
    public var screen: @Sendable (HTTPRequest) throws(Problem) -> Void = { _ throws(Problem) in }

    /// A router without routes.
    public init() {
        passOn = nil
    }

    /// A router that has every request answered by `answer`, whatever its method and path.
    ///
    /// Routes that are added to it are not looked at.
    public init(passingAllTo answer: @escaping @Sendable (HTTPRequest, Logger) async -> HTTPResponse) {
        passOn = answer
    }

    /// Adds a route.
    ///
    /// - Precondition: the pattern starts with a slash, and no route with this method and pattern exists.
    public mutating func on(_ method: String, _ pattern: String, _ handler: @escaping Handler) {
        precondition(pattern.hasPrefix("/"), "The pattern \(pattern) must start with a slash.")
        let parsed = RoutePattern(pattern)
        precondition(
            !table.contains { $0.method == method && $0.pattern.isSame(as: parsed) },
            "There is a route for \(method) \(pattern) already."
        )
        table.append(Route(method: method, pattern: parsed, handler: handler))
    }

    /// Answers a request; never throws: a `Problem` becomes its response, any other error a logged 500 problem.
    public func respond(to request: HTTPRequest, logger: Logger) async -> HTTPResponse {
        if let passOn { return await passOn(request, logger) }
        let route: Route
        var request = request
        do {
            try screen(request)
            (route, request.parameters) = try match(request)
        } catch {
            onRefusal(request.method, error.status)
            return error.response
        }
        do {
            return try await route.handler(request)
        } catch let problem as Problem {
            return problem.response
        } catch {
            logger.error(
                "The handler of a request failed",
                [
                    LogField("http.request.method", request.method), LogField("url.path", request.path),
                    LogField("error", error: error),
                ]
            )
            return Problem.internalError.response
        }
    }

    /// Method and pattern of every route, in order of registration.
    public var routes: [(method: String, pattern: String)] { table.map { ($0.method, $0.pattern.text) } }

    private func match(_ request: HTTPRequest) throws(Problem) -> (Route, [String: String]) {
        let matching = table.filter { $0.pattern.matches(request.segments) }
        guard !matching.isEmpty else {
            throw Problem(.notFound, detail: "There is nothing at \(request.path).")
        }
        var found = Self.mostSpecific(matching.filter { $0.method == request.method })
        if found == nil, request.method == "HEAD" {
            found = Self.mostSpecific(matching.filter { $0.method == "GET" })
        }
        guard let found else {
            var methods = Set(matching.map(\.method))
            if methods.contains("GET") { methods.insert("HEAD") }
            let allowed = methods.sorted().joined(separator: ", ")
            throw Problem(
                .methodNotAllowed,
                detail: "\(request.path) answers \(allowed).",
                headers: ["Allow": allowed]
            )
        }
        return (found, found.pattern.parameters(of: request.segments))
    }

    private static func mostSpecific(_ routes: [Route]) -> Route? {
        routes.max { $1.pattern.isMoreSpecific(than: $0.pattern) }
    }
}

/// The pattern of a route, taken apart.
private struct RoutePattern: Sendable {
    private enum Segment: Sendable, Equatable {
        case literal(String)
        case parameter(String)
    }

    let text: String
    private let segments: [Segment]

    init(_ text: String) {
        self.text = text
        segments = HTTPRequest(method: "GET", path: text).segments.map { segment in
            guard segment.hasPrefix("{"), segment.hasSuffix("}") else { return .literal(segment) }
            return .parameter(String(segment.dropFirst().dropLast()))
        }
    }

    func matches(_ path: [String]) -> Bool {
        guard segments.count == path.count else { return false }
        return zip(segments, path).allSatisfy { segment, value in
            switch segment {
            case .literal(let text): text == value
            case .parameter: !value.isEmpty
            }
        }
    }

    func parameters(of path: [String]) -> [String: String] {
        var result: [String: String] = [:]
        for case (.parameter(let name), let value) in zip(segments, path) { result[name] = value }
        return result
    }

    /// Whether both match the same paths.
    func isSame(as other: RoutePattern) -> Bool {
        segments.count == other.segments.count
            && zip(segments, other.segments).allSatisfy { left, right in
                switch (left, right) {
                case (.literal(let left), .literal(let right)): left == right
                case (.parameter, .parameter): true
                default: false
                }
            }
    }

    /// Of two patterns that match the same path: whether this one has a literal where the other first differs.
    func isMoreSpecific(than other: RoutePattern) -> Bool {
        for case (let left, let right) in zip(segments, other.segments) {
            switch (left, right) {
            case (.literal, .parameter): return true
            case (.parameter, .literal): return false
            default: continue
            }
        }
        return false
    }
}
