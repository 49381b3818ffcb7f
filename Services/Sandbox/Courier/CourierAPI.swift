import HTTP

/// The courier's HTTP API.
///
///     PUT    /courier/v1/shipments/{id} {"address": {...}, "version": 1}    201, 200; 409, 422
///     GET    /courier/v1/shipments/{id}                                     200; 404
///     DELETE /courier/v1/shipments/{id}                                     200; 409
///
/// Errors are `{"error": {"code", "id", "version", "trackingCode"}}`; the codes are those of `CourierState.Refusal`, and
/// `unknown_key`, `invalid_request`, `failed`, `rate_limited` and `unavailable`.
struct CourierAPI: Sendable {
    let courier: Courier
    /// The secret key that clients give as a bearer token.
    let key: String

    private struct Booking: Decodable {
        let address: CourierState.Address
        let version: Int
    }

    private struct ShipmentBody: Encodable {
        let id: String
        let version: Int
        let state: String
        let trackingCode: String?
    }

    private struct ErrorBody: Encodable {
        struct Content: Encodable {
            let code: String
            var id: String?
            var version: Int?
            var trackingCode: String?
        }
        let error: Content
    }

    /// Registers the routes.
    func register(_ route: (String, String, @escaping Router.Handler) -> Void) {
        route("PUT", "/courier/v1/shipments/{id}", put)
        route("GET", "/courier/v1/shipments/{id}", get)
        route("DELETE", "/courier/v1/shipments/{id}", delete)
    }

    @Sendable private func put(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard isAuthorized(request) else { return try unknownKey() }
        let booking: Booking
        do {
            booking = try request.decode(Booking.self, members: ["address", "version"])
        } catch is Problem {
            return try failure("invalid_request", status: 400)
        }
        guard booking.version >= 1, (1...2).contains(booking.address.lines.count) else {
            return try failure("invalid_request", status: 400)
        }
        let id = request.parameters["id"] ?? ""
        return try await answer(courier.put(id, booking.address, version: booking.version))
    }

    @Sendable private func get(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard isAuthorized(request) else { return try unknownKey() }
        return try await answer(courier.get(request.parameters["id"] ?? ""))
    }

    @Sendable private func delete(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard isAuthorized(request) else { return try unknownKey() }
        return try await answer(courier.delete(request.parameters["id"] ?? ""))
    }

    private func answer(_ answer: Courier.Answer) async throws -> HTTPResponse {
        switch answer.fault?.kind {
        case .rateLimit:
            var response = try failure("rate_limited", status: 429)
            response.headers["Retry-After"] = "1"
            return response
        case .errorAfter: return try failure("failed", status: 500)
        case .timeout:
            // Cancelled means that the server ends.
            try? await Task.sleep(for: Provider.longestSilence)
            return try failure("unavailable", status: 503)
        case .slow:
            // Cancelled: the answer goes out early rather than not at all.
            try? await Task.sleep(for: .milliseconds(answer.fault?.delayMilliseconds ?? 0))
        case nil, .unavailable, .reset, .wrongID, .wrongVersion, .twice, .lost, .forged, .old: break
        }
        guard let reply = answer.reply else { return try failure("unavailable", status: 503) }
        var response = try response(to: reply, lyingBy: answer.fault?.kind)
        if answer.fault?.kind == .reset { response.body = Array(response.body.prefix(response.body.count / 2)) }
        return response
    }

    private func response(to reply: CourierState.Reply, lyingBy lie: CourierFault.Kind?) throws -> HTTPResponse {
        func id(_ shipment: CourierState.Shipment) -> String { lie == .wrongID ? shipment.id + "-other" : shipment.id }
        func version(_ shipment: CourierState.Shipment) -> Int { shipment.version + (lie == .wrongVersion ? 7 : 0) }
        switch reply {
        case .shipment(let shipment, let isNew):
            let body = ShipmentBody(
                id: id(shipment),
                version: version(shipment),
                state: shipment.stage.rawValue,
                trackingCode: shipment.trackingCode
            )
            return try .json(body, status: isNew ? 201 : 200)
        case .refused(let refusal, let shipment):
            let content = ErrorBody.Content(
                code: refusal.rawValue,
                id: shipment.map(id),
                version: shipment.map(version),
                trackingCode: shipment?.trackingCode
            )
            return try .json(ErrorBody(error: content), status: refusal.status)
        }
    }

    private func isAuthorized(_ request: HTTPRequest) -> Bool { request.headers["Authorization"] == "Bearer \(key)" }

    private func unknownKey() throws -> HTTPResponse {
        var response = try failure("unknown_key", status: 401)
        response.headers["WWW-Authenticate"] = "Bearer realm=\"Sandbox\""
        return response
    }

    private func failure(_ code: String, status: Int) throws -> HTTPResponse {
        try .json(ErrorBody(error: ErrorBody.Content(code: code)), status: status)
    }
}

extension CourierState.Refusal {
    fileprivate var status: Int {
        switch self {
        case .staleAddress, .alreadyDispatched, .alreadyDelivered, .calledOff: 409
        case .unknownAddress: 422
        case .unknownShipment: 404
        }
    }
}
