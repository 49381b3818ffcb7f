import Events
import HTTP
import JSON
import Messaging
import ShopEvents

/// The courier over HTTP: `PUT`, `GET` and `DELETE /courier/v1/shipments/{id}` with a bearer key.
///
/// What is not answered for a reason that passes - no answer, 5xx, 429, a key that is not accepted - is put off, without costing an
/// attempt, for as long as `WARREN_DEFERRAL_LIMIT` allows, and is a dead letter then. Every answer is held against its question
/// (`CourierAnswer.swift`).
struct CourierGateway: Courier {
    private let base: String
    private let key: String
    private let timeout: Duration
    private let pause: Duration
    private let client: HTTPClient
    private let userAgent: String

    /// A gateway.
    ///
    /// - Parameters:
    ///   - url: where the courier is, without `/courier`.
    ///   - key: the secret key; never logged.
    ///   - timeout: the longest that one call may take.
    ///   - pause: how long to wait where the courier does not say so itself.
    init(
        url: String,
        key: String,
        timeout: Duration,
        pause: Duration,
        client: HTTPClient,
        userAgent: String = "Warren (shipping-service)"
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

    private struct Booking: Encodable {
        let address: PostalAddress
        let version: Int
    }

    func book(_ id: String, _ address: PostalAddress, version: Int) async throws -> Shipment.Word {
        let body = try StrictJSON.encode(Booking(address: address, version: version))
        return try await send("PUT", id, body: body).word(bookingOf: version)
    }

    func lookUp(_ id: String) async throws -> Shipment.Word { try await send("GET", id).wordOfLookUp() }

    func callOff(_ id: String) async throws -> Shipment.Word { try await send("DELETE", id).wordOfCallingOff() }

    private func send(_ method: String, _ id: String, body: [UInt8]? = nil) async throws -> CourierAnswer {
        var request = HTTPClient.Request(method, "\(base)/courier/v1/shipments/\(PercentEncoding.encode(id))")
        request.route = "/courier/v1/shipments/{id}"
        request.timeout = timeout
        request.connectTimeout = min(timeout, .seconds(5))
        request.headers["Authorization"] = "Bearer \(key)"
        request.headers["User-Agent"] = userAgent
        if let body {
            request.headers["Content-Type"] = "application/json"
            request.body = body
        }
        let response: HTTPClient.Response
        do {
            response = try await client.send(request)
        } catch let failure as HTTPClient.Failure {
            throw notNow("no answer: \(failure.code)")
        }
        switch response.status {
        case 401, 403: throw notNow("the key is not accepted (\(response.status)): set SHIPPING_COURIER_KEY")
        case 408, 425, 429, 500...: throw notNow("status \(response.status)", until: response.headers["Retry-After"])
        default: return CourierAnswer(response: response, id: id)
        }
    }

    private func notNow(_ reason: String, until header: String? = nil) -> HandlerError {
        // A date, or nonsense, counts as nothing said; an hour is long enough to ask again.
        let asked = header.flatMap(Int64.init).map { Duration.seconds(min(max($0, 1), 3600)) }
        let milliseconds = Int64((asked ?? pause) / .milliseconds(1))
        return .deferred(until: WallClock.milliseconds() + milliseconds, "courier.unavailable", reason)
    }
}
