import Database
import Events
import HTTP
import JSON
import Messaging
import ServiceKit
import ShopEvents

extension PointsAPI {
    /// `POST /accounts/{customer}/charges`: a customer buys points; repeated under its key it is charged once.
    func charge(_ request: HTTPRequest) async throws -> HTTPResponse {
        let (customer, caller) = try account(of: request)
        try request.checkNoQuery()
        let key = try IdempotencyKey.of(request, by: caller)
        let wish = try request.decode(ChargeForm.self).checked()
        do {
            return try await charge(wish, to: customer, by: caller.text, under: key)
        } catch let error as DatabaseError where key != nil && error.code == .constraint(unique: true) {
            // Another instance of this service was first under the key; its answer is there now.
            return try await charge(wish, to: customer, by: caller.text, under: key)
        }
    }

    private func charge(
        _ wish: ChargeForm.Wish,
        to customer: String,
        by caller: String,
        under key: IdempotencyKey?
    ) async throws -> HTTPResponse {
        let canonical = try StrictJSON.encode(
            ChargeRequest(customer: customer, total: wish.total, paymentMethod: wish.paymentMethod)
        )
        let request = String(decoding: canonical, as: UTF8.self)
        let (stored, isReplayed) = try await events.write { transaction in
            if let key, let stored = try desk.charges.find(key, in: transaction) {
                guard stored.request == request else { throw Self.keyReused }
                return (stored, true)
            }
            let charge = Charge.request(Self.makeID(), by: customer, wish.total, at: now())
            let answer = String(decoding: try StrictJSON.encode(ChargeView(charge)), as: UTF8.self)
            let stored = ChargeStore.Stored(request: request, chargeID: charge.id, answer: answer)
            try desk.request(
                charge,
                paymentMethod: wish.paymentMethod,
                by: caller,
                under: key,
                stored,
                in: transaction
            )
            return (stored, false)
        }
        let location = "/accounts/\(PercentEncoding.encode(customer))/charges/\(stored.chargeID)"
        var response = HTTPResponse(
            status: 202,
            headers: ["Content-Type": "application/json", "Location": location],
            body: Array(stored.answer.utf8)
        )
        if isReplayed { response.headers["Idempotency-Replayed"] = "true" }
        return response
    }

    /// `GET /accounts/{customer}/charges/{id}`: one charge.
    func showCharge(_ request: HTTPRequest) async throws -> HTTPResponse {
        let (customer, _) = try account(of: request)
        try request.checkNoQuery()
        let id = request.parameters["id"] ?? ""
        guard let charge = try await database.read({ try desk.charges.find(id, in: $0) }), charge.customer == customer
        else {
            throw Problem(.notFound, detail: "There is no such charge.")
        }
        return try .json(ChargeView(charge))
    }

    /// No order has such an id: those are bare UUIDs.
    private static func makeID() -> String { "pts_\(UUIDv7.make())" }

    /// A charge as its key remembers it.
    private struct ChargeRequest: Encodable {
        let customer: String
        let total: Money
        let paymentMethod: String
    }

    private static var keyReused: Problem {
        Problem(
            .idempotencyKeyReused,
            detail: "Use a new key for a new charge.",
            faults: [Problem.Fault(field: IdempotencyKey.header, detail: "was used with another account or body")]
        )
    }
}
