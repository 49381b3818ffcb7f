import Events
import HTTP
import JSON
import Messaging
import Telemetry

/// The data platform: `PUT /platform/records/{id}` stores a record once, however often it is put.
///
/// What is not stored for a reason that passes - no answer, 5xx, 429, a key that is not accepted - is put off, without costing an
/// attempt, for as long as `WARREN_DEFERRAL_LIMIT` allows: a platform that is down for the night leaves no dead letters. What the
/// platform refuses for good is a dead letter at once.
struct PlatformGateway: Sendable {
    private let base: String
    private let key: String
    private let timeout: Duration
    private let pause: Duration
    private let client: HTTPClient
    private let userAgent: String

    /// A gateway.
    ///
    /// - Parameters:
    ///   - url: where the platform is, without `/platform`.
    ///   - key: the secret key; never logged.
    ///   - timeout: the longest that one call may take.
    ///   - pause: how long to wait where the platform does not say so itself.
    init(
        url: String,
        key: String,
        timeout: Duration,
        pause: Duration,
        client: HTTPClient,
        userAgent: String = "Warren (analytics-service)"
    ) {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
        self.key = key
        self.timeout = timeout
        self.pause = pause
        self.client = client
        self.userAgent = userAgent
    }

    /// Stores a record; returns when the platform has it.
    ///
    /// - Throws: `HandlerError` of the classes `platform.unavailable` (deferred), `platform.refused` and
    ///   `platform.contradiction` (permanent).
    func put(_ record: OrderRecord) async throws {
        var request = HTTPClient.Request("PUT", "\(base)/platform/records/\(PercentEncoding.encode(record.id))")
        request.route = "/platform/records/{id}"
        request.timeout = timeout
        request.headers["Authorization"] = "Bearer \(key)"
        request.headers["Content-Type"] = "application/json"
        request.headers["User-Agent"] = userAgent
        request.body = try StrictJSON.encode(record)
        let response: HTTPClient.Response
        do {
            response = try await client.send(request)
        } catch let failure as HTTPClient.Failure {
            throw notNow("no answer: \(failure.reason)")
        }
        switch response.status {
        case 200, 201, 204: return
        case 409:
            throw HandlerError.permanent(
                "platform.contradiction",
                "the platform has another record under the id \(record.id)"
            )
        case 401, 403:
            throw notNow("the key is not accepted (\(response.status)): set PLATFORM_KEY")
        case 400...499 where response.status != 408 && response.status != 429 && response.status != 425:
            throw HandlerError.permanent("platform.refused", "the platform answers with status \(response.status)")
        default:
            throw notNow("status \(response.status)", until: response.headers["Retry-After"])
        }
    }

    private func notNow(_ reason: String, until header: String? = nil) -> HandlerError {
        // A date, or nonsense, counts as nothing said; an hour is long enough to ask again.
        let asked = header.flatMap(Int64.init).map { Duration.seconds(min(max($0, 1), 3600)) }
        let milliseconds = Int64((asked ?? pause) / .milliseconds(1))
        return .deferred(until: WallClock.milliseconds() + milliseconds, "platform.unavailable", reason)
    }
}

extension OrderRecord {
    /// Why an event without a time is no record.
    static let timeless = HandlerError.permanent("platform.no-time", "the event does not say when it happened")
}
