public import Events
public import HTTP
public import Messaging

/// Carries a feed's requests to another service's event API over HTTP.
public struct HTTPFeedTransport: FeedTransport {
    private let base: String
    private let token: String?
    private let client: HTTPClient

    /// Makes a transport.
    ///
    /// - Parameters:
    ///   - url: where the service is, `http://order:8081`.
    ///   - token: its operations token; without one it answers on loopback only.
    ///   - client: what sends the requests.
    public init(url: String, token: String?, client: HTTPClient) {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
        self.token = token
        self.client = client
    }

    /// Asks for a page.
    ///
    /// - Throws: `FeedError`.
    public func page(_ request: FeedRequest) async throws -> FeedPage {
        let seconds = min(request.wait.components.seconds, Int64(EventParameters.longestWait))
        var items = [("after", String(request.after)), ("limit", String(request.limit)), ("wait", String(seconds))]
        items += request.types.map { ("type", $0) }
        var outgoing = HTTPClient.Request("GET", "\(base)/events?\(FormURLEncoded.encode(items))")
        outgoing.headers["Accept"] = "application/cloudevents-batch+json, application/problem+json"
        if let token { outgoing.headers["Authorization"] = "Bearer \(token)" }
        outgoing.timeout = .seconds(seconds + 30)
        let response: HTTPClient.Response
        do {
            response = try await client.send(outgoing)
        } catch let failure as HTTPClient.Failure {
            throw FeedError.unavailable("\(base) does not answer: \(failure.reason)")
        }
        switch response.status {
        case 200: return try Self.page(in: response)
        case 410: throw FeedError.gone(through: response.headers[EventRoutes.goneHeader].flatMap { Int64($0) })
        case 422: throw Self.refusal(response)
        case 401, 403:
            throw FeedError.unavailable(
                "\(base) answers \(response.status): set this service's WARREN_OPERATIONS_TOKEN to the token of that one"
            )
        default: throw FeedError.unavailable("\(base) answers with status \(response.status)")
        }
    }

    private static func page(in response: HTTPClient.Response) throws -> FeedPage {
        let mediaType = (response.headers["Content-Type"] ?? "").prefix { $0 != ";" }.lowercased()
        guard mediaType == "application/cloudevents-batch+json",
            let next = response.headers[EventRoutes.nextHeader].flatMap({ Int64($0) }),
            let head = response.headers[EventRoutes.headHeader].flatMap({ Int64($0) })
        else {
            throw FeedError.unavailable("the answer is not that of an event API; check the address")
        }
        return try FeedPage(body: response.body, next: next, head: head)
    }

    /// What the problem document says; a position behind the last event has a mend of its own.
    private static func refusal(_ response: HTTPClient.Response) -> FeedError {
        struct Document: Decodable {
            var errors: [Problem.Fault]?
        }
        let faults = (try? response.decode(Document.self))?.errors ?? []
        if faults.map(\.field) == ["after"] { return .ahead }
        let text = faults.map { "\($0.field) \($0.detail)" }.joined(separator: "; ")
        return .refused(text.isEmpty ? "status 422" : text)
    }
}

extension ServiceContext {
    /// Follows another service's event store: its events of the types that have handlers here come to them, by feed in
    /// place of a queue.
    ///
    /// - Parameters:
    ///   - name: of the feed, unique in this service; the offset is kept under it.
    ///   - url: where the other service is.
    ///   - token: the other service's operations token; this one's own when nil, since a shop has one.
    ///   - types: what the feed is asked for; all that have handlers here when nil. Where the service's queue is bound to some
    ///     types of the same source, the others are named here: an event that comes both ways is done once, but not in the
    ///     order of its subject.
    @discardableResult
    public func follow(
        _ name: String,
        at url: String,
        token: String? = nil,
        types: Set<EventType>? = nil
    ) -> EventFeed {
        let feed = feed(name, at: url, token: token, types: types)
        runtime.follow(feed)
        return feed
    }

    /// Catches up with another service's event store from its beginning, once, before this service's queue is handled:
    /// for a subscriber that is newer than the events; see `EventFeed`.
    @discardableResult
    public func catchUp(_ name: String, at url: String, token: String? = nil) -> EventFeed {
        let feed = feed(name, at: url, token: token)
        runtime.catchUp(with: feed)
        return feed
    }

    private func feed(
        _ name: String,
        at url: String,
        token: String?,
        types: Set<EventType>? = nil
    ) -> EventFeed {
        let client = HTTPClient()
        onClose { client.close() }
        return runtime.feed(
            name,
            over: HTTPFeedTransport(url: url, token: token ?? operationsToken, client: client),
            types: types
        )
    }
}
