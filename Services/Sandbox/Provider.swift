import FoundationEssentials
import HTTP
import Synchronization
import Telemetry

/// The provider at work: one state behind a lock, and answers that travel as the state says.
///
/// Nothing blocks: an answer that has to wait is a suspended task.
final class Provider: Sendable {
    /// The longest that a client is kept without an answer.
    static let longestSilence: Duration = .seconds(120)

    private let state: Mutex<ProviderState>
    private let logger: Logger
    private let now: @Sendable () -> Int64

    /// An empty provider.
    /// - Parameter now: the clock, in milliseconds since 1970.
    init(logger: Logger, now: @escaping @Sendable () -> Int64 = Provider.wallClock) {
        self.logger = logger
        self.now = now
        self.state = Mutex(ProviderState(series: Self.newSeries()))
    }

    /// Carries out one call and answers as the state says.
    func answer(
        _ operation: StaticString,
        _ call: (inout ProviderState, Int64) -> ProviderReply
    ) async throws
        -> HTTPResponse
    {
        let now = now()
        let reply = state.withLock { call(&$0, now) }
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

    /// Changes the state outside of the provider's own API.
    func control<Result: Sendable>(_ body: @Sendable (inout ProviderState, Int64) -> Result) -> Result {
        let now = now()
        return state.withLock { body(&$0, now) }
    }

    /// Forgets everything.
    func reset() {
        state.withLock { $0 = ProviderState(series: Self.newSeries()) }
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
