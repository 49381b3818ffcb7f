import FoundationEssentials
import HTTP
import Synchronization
import Telemetry

/// The provider at work: one state behind a lock, and answers that travel as the state says.
///
/// Nothing waits: an answer that has to is a suspended task. With a journal, a call is written down before it is answered.
final class Provider: Sendable {
    /// The longest that a client is kept without an answer.
    static let longestSilence: Duration = .seconds(120)

    private struct Books: ~Copyable {
        var state: ProviderState
        /// Nil where nothing is to outlive the process.
        let journal: Journal?
        /// Nil where nobody is told by webhook.
        var outbox: WebhookOutbox?
        /// How many of the provider's events are in the outbox or through it.
        var noted = 0
    }

    /// Rings when there may be webhooks to send.
    let webhookBell: AsyncStream<Void>
    private let ringer: AsyncStream<Void>.Continuation
    /// After a restart, what happened in that time is told again: what was taken before it, nobody remembers.
    private static let retold: Int64 = 3_600

    private let books: Mutex<Books>
    private let logger: Logger
    private let now: @Sendable () -> Int64

    /// An empty provider.
    /// - Parameters:
    ///   - sendsWebhooks: somebody takes them out, by `takeWebhooks`.
    ///   - now: the clock, in milliseconds since 1970.
    init(logger: Logger, sendsWebhooks: Bool = false, now: @escaping @Sendable () -> Int64 = Provider.wallClock) {
        self.logger = logger
        self.now = now
        (webhookBell, ringer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let state = ProviderState(series: Self.newSeries())
        self.books = Mutex(Books(state: state, journal: nil, outbox: sendsWebhooks ? WebhookOutbox() : nil))
    }

    /// A provider that goes on where the one before it ended.
    /// - Throws: `Journal.Failure`.
    init(
        journal path: String,
        logger: Logger,
        sendsWebhooks: Bool = false,
        now: @escaping @Sendable () -> Int64 = Provider.wallClock
    ) throws(Journal.Failure) {
        let opened = try Journal.open(path, newSeries: Self.newSeries)
        self.logger = logger
        self.now = now
        (webhookBell, ringer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let since = now() / 1000 - Self.retold
        let retold = opened.state.events.kept.reversed().prefix { $0.created >= since }.count
        self.books = Mutex(
            Books(
                state: opened.state,
                journal: opened.journal,
                outbox: sendsWebhooks ? WebhookOutbox() : nil,
                noted: opened.state.events.count - retold
            )
        )
    }

    /// Carries out one call and answers as the state says.
    func answer(_ operation: StaticString, _ call: ProviderCall) async throws -> HTTPResponse {
        let now = now()
        guard let reply = apply(call, at: now) else { return HTTPResponse(status: 204) }
        return try await answer(operation, reply, at: now)
    }

    /// Answers a question, which changes nothing.
    func answer(
        _ operation: StaticString,
        _ question: (ProviderState, Int64) -> ProviderReply
    ) async throws -> HTTPResponse {
        let now = now()
        return try await answer(operation, books.withLock { question($0.state, now) }, at: now)
    }

    private func apply(_ call: ProviderCall, at now: Int64) -> ProviderReply? {
        books.withLock { books in
            do throws(Journal.Failure) {
                try books.journal?.append(.called(call, at: now))
            } catch {
                logger.error("The provider cannot write down what it does", [LogField("error", error: error)])
                return ProviderReply(.error(.unavailable))
            }
            let reply = books.state.apply(call, at: now)
            collect(&books, at: now)
            return reply
        }
    }

    // MARK: Webhooks

    /// Settles what time has settled, and rings for what is due.
    func settle() {
        let now = now()
        books.withLock { books in
            books.state.settle(at: now)
            collect(&books, at: now)
            if let outbox = books.outbox, outbox.count > 0 { ringer.yield() }
        }
    }

    /// The webhooks to send now; each is to be finished.
    func takeWebhooks(_ limit: Int) -> [WebhookOutbox.Item] {
        let now = now()
        return books.withLock { $0.outbox?.take(limit, at: now) ?? [] }
    }

    /// How sending one went.
    /// - Parameter status: what was answered; nil where nothing was.
    func finishWebhook(_ item: WebhookOutbox.Item, status: Int?) {
        let now = now()
        books.withLock { $0.outbox?.finish(item, status: status, at: now) }
    }

    /// How the webhooks stand.
    var webhooks: WebhookOutbox.State { books.withLock { $0.outbox?.state } ?? WebhookOutbox.State() }

    /// Steers the webhooks.
    func controlWebhooks(_ body: @Sendable (inout WebhookOutbox, Int64) -> Void) {
        let now = now()
        books.withLock { books in
            guard var outbox = books.outbox else { return }
            body(&outbox, now)
            books.outbox = outbox
        }
        ringer.yield()
    }

    private func collect(_ books: inout Books, at now: Int64) {
        guard books.state.events.count > books.noted else { return }
        if books.outbox != nil {
            for event in books.state.events.after(books.noted) { books.outbox?.add(event, at: now) }
            ringer.yield()
        }
        books.noted = books.state.events.count
    }

    private func answer(
        _ operation: StaticString,
        _ reply: ProviderReply,
        at now: Int64
    ) async throws -> HTTPResponse {
        log(reply, of: operation)
        let response = try Self.response(reply)
        switch reply.transmission {
        case .now:
            return response
        case .at(let time):
            // Cancelled means that the server ends: the answer goes out early rather than not at all.
            try? await Task.sleep(for: .milliseconds(max(0, time - now)))
            return response
        case .never:
            try? await Task.sleep(for: Self.longestSilence)
            return try Self.response(ProviderReply(.error(.unavailable)))
        case .cutOff:
            var half = response
            half.body = Array(response.body.prefix(response.body.count / 2))
            return half
        }
    }

    /// Carries out a call from outside of the provider's own API.
    func control(_ call: ProviderCall) {
        _ = apply(call, at: now())
    }

    /// Looks into the state, or changes it past the journal.
    func control<Result: Sendable>(_ body: @Sendable (inout ProviderState, Int64) -> Result) -> Result {
        let now = now()
        return books.withLock { body(&$0.state, now) }
    }

    /// Forgets everything.
    /// - Throws: `Journal.Failure`; everything is kept then.
    func reset() throws(Journal.Failure) {
        try books.withLock { books throws(Journal.Failure) in
            let series = Self.newSeries()
            try books.journal?.append(.began(series: series))
            books.state = ProviderState(series: series)
            books.outbox?.reset()
            books.noted = 0
        }
    }

    /// Milliseconds since 1970.
    static func wallClock() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1000)
    }

    /// An error as the provider's API answers it.
    static func response(_ error: ProviderError) throws -> HTTPResponse {
        try response(ProviderReply(.error(error)))
    }

    private static func response(_ reply: ProviderReply) throws -> HTTPResponse {
        var response = try HTTPResponse.json(reply.answer, status: reply.answer.status)
        response.headers["Request-Id"] = "req_" + UUID().uuidString.filter { $0 != "-" }
        if reply.isReplayed { response.headers["Idempotent-Replayed"] = "true" }
        if case .error(let error) = reply.answer, let shouldRetry = error.shouldRetry {
            response.headers["Stripe-Should-Retry"] = shouldRetry ? "true" : "false"
        }
        return response
    }

    private static func newSeries() -> String {
        String(UUID().uuidString.filter { $0 != "-" }.prefix(16)) + "x"
    }

    private func log(_ reply: ProviderReply, of operation: StaticString) {
        logger.debug(
            "Answered a call",
            [
                LogField("provider.operation", operation.description),
                LogField("http.status", reply.answer.status),
                LogField("provider.replayed", String(reply.isReplayed)),
                LogField("provider.transmission", String(describing: reply.transmission)),
            ]
        )
    }
}
