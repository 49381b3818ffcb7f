internal import JSON

/// What a feed asks of the event API of another service.
public struct FeedRequest: Sendable, Equatable {
    /// Events behind this position.
    public var after: Int64
    /// How many at most.
    public var limit: Int
    /// One of these types; any when empty.
    public var types: [String]
    /// How long the source may wait for the first event.
    public var wait: Duration

    /// Makes a request.
    public init(after: Int64, limit: Int, types: [String], wait: Duration) {
        self.after = after
        self.limit = limit
        self.types = types
        self.wait = wait
    }
}

/// What the event API answered.
public struct FeedPage: Sendable, Equatable {
    /// The envelopes, in order.
    public var batch: [[UInt8]]
    /// Where the next page begins.
    public var next: Int64
    /// The position of the last event of the source when it answered.
    public var head: Int64

    /// Makes a page.
    public init(batch: [[UInt8]], next: Int64, head: Int64) {
        self.batch = batch
        self.next = next
        self.head = head
    }

    /// Makes a page of a body in `application/cloudevents-batch+json`.
    ///
    /// - Throws: `FeedError.unavailable` when it is no JSON array of objects.
    public init(body: [UInt8], next: Int64, head: Int64) throws(FeedError) {
        let document: JSONDocument
        do throws(JSONFault) {
            // One level more than an envelope may have; each envelope is checked by itself afterwards.
            document = try JSONDocument(body, maximumDepth: 64)
        } catch {
            throw .unavailable("the answer is no JSON: \(error.description)")
        }
        guard let elements = document.elements else { throw .unavailable("the answer is no JSON array") }
        self.init(batch: elements.map { Array($0) }, next: next, head: head)
    }
}

/// Carries a feed's requests to the event API, so that this module needs no HTTP.
public protocol FeedTransport: Sendable {
    /// Asks for a page.
    ///
    /// - Throws: `FeedError`; any other error counts as one after which it is asked again.
    func page(_ request: FeedRequest) async throws -> FeedPage
}

/// Why a feed has no page.
public enum FeedError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The source no longer keeps the events behind the feed's position; they are gone up to `through` (`410`).
    case gone(through: Int64?)
    /// The feed's position lies behind the source's last event: the source is another one or was restored from an older
    /// copy.
    case ahead
    /// The source does not understand the request.
    case refused(String)
    /// No answer, or none that can be used now; asking again may help.
    case unavailable(String)

    /// Whether asking again cannot help.
    var isFinal: Bool {
        switch self {
        case .gone, .ahead, .refused: true
        case .unavailable: false
        }
    }

    /// What happened, and the mend.
    public var description: String {
        switch self {
        case .gone(let through):
            """
            the source no longer keeps the events behind this feed's position\(through.map { ", they are gone up to \($0)" } ?? ""). \
            Bring this service's state up to a later position from a copy or a snapshot, then set the feed there with \
            `warren feeds restart`; raise WARREN_EVENT_RETENTION at the source so that feeds that stand still longer \
            find their events
            """
        case .ahead:
            """
            this feed's position lies behind the last event of the source: it is another source than before, or was \
            restored from an older copy. Check its address; then set the feed with `warren feeds restart`, to 0 if in \
            doubt, since what has been handled does nothing again
            """
        case .refused(let reason): "the source refuses the feed's request: \(reason)"
        case .unavailable(let reason): reason
        }
    }
}
