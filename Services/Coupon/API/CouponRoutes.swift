import Database
import Events
import HTTP
import JSON
import ServiceKit

extension CouponAPI {
    /// `GET /coupons?customer=&after=&limit=`: one page, newest first; a customer's own.
    func listCoupons(_ request: HTTPRequest) async throws -> HTTPResponse {
        let caller = try request.knownCaller
        let query = try PageQuery(request.query, of: .coupons)
        if let customer = query.customer { try check(caller, mayNameAs: customer) }
        let customer = caller.kind == .customer ? caller.name : query.customer
        let found = try await database.read { transaction in
            // One more than asked for tells whether there is another page.
            try coupons.page(customer: customer, after: query.after, limit: query.limit + 1, in: transaction)
        }
        let shown = Array(found.prefix(query.limit))
        let next = found.count > query.limit ? shown.last?.id : nil
        var response = try HTTPResponse.json(CouponPage(coupons: shown.map(CouponView.init), next: next))
        if let next { response.headers["Link"] = "<\(query.path("/coupons", after: next))>; rel=\"next\"" }
        return response
    }

    /// `GET /coupons/{id}`: one coupon.
    func showCoupon(_ request: HTTPRequest) async throws -> HTTPResponse {
        let caller = try request.knownCaller
        try request.checkNoQuery()
        let id = request.parameters["id"] ?? ""
        // Also for somebody else's: that it is there is nobody else's business.
        guard let coupon = try await database.read({ try coupons.find(id, in: $0) }),
            caller.kind != .customer || caller.name == coupon.customer
        else { throw Problem(.notFound, detail: "There is no such coupon.") }
        return try .json(CouponView(coupon))
    }

    /// `POST /coupons/definitions/{id}/claims`: issues a coupon, first come, first served; repeated under its key it is done once.
    func claim(_ request: HTTPRequest) async throws -> HTTPResponse {
        let caller = try request.knownCaller
        try request.checkNoQuery()
        let key = try IdempotencyKey.of(request, by: caller)
        let customer = try request.decode(ClaimForm.self).checked()
        try check(caller, mayNameAs: customer)
        let claim = Claim(definition: request.parameters["id"] ?? "", customer: customer)
        do {
            return try await carryOut(claim, under: key)
        } catch let error as DatabaseError where error.code == .constraint(unique: true) {
            // Another instance of this service was first for this customer or under this key; what it did is there now.
            return try await carryOut(claim, under: key)
        }
    }

    private func carryOut(_ claim: Claim, under key: IdempotencyKey?) async throws -> HTTPResponse {
        let request = String(decoding: try StrictJSON.encode(claim), as: UTF8.self)
        let answer = try await database.write { transaction in
            try carryOut(claim, as: request, under: key, in: transaction)
        }
        // Not thrown in the transaction: nothing was written that would have to be undone, and in a rush most are refused.
        let (stored, isReplayed) = try answer.get()
        var response = HTTPResponse(
            status: 201,
            headers: ["Content-Type": "application/json", "Location": "/coupons/\(stored.coupon)"],
            body: Array(stored.answer.utf8)
        )
        if isReplayed { response.headers["Idempotency-Replayed"] = "true" }
        return response
    }

    private func carryOut(
        _ claim: Claim,
        as request: String,
        under key: IdempotencyKey?,
        in transaction: Transaction
    ) throws -> Result<(ClaimKeys.Stored, isReplayed: Bool), Problem> {
        if let key, let stored = try keys.find(key, in: transaction) {
            return stored.request == request ? .success((stored, true)) : .failure(Self.keyReused)
        }
        switch try issue(claim, in: transaction) {
        case .failure(let problem): return .failure(problem)
        case .success(let coupon):
            let stored = ClaimKeys.Stored(
                request: request,
                coupon: coupon.id,
                answer: String(decoding: try StrictJSON.encode(CouponView(coupon)), as: UTF8.self)
            )
            if let key { try keys.remember(stored, under: key, in: transaction) }
            return .success((stored, false))
        }
    }

    private func issue(_ claim: Claim, in transaction: Transaction) throws -> Result<Coupon, Problem> {
        guard var definition = try definitions.find(claim.definition, in: transaction) else {
            return .failure(Self.unknownDefinition)
        }
        let time = now()
        let count = try coupons.count(of: definition.id, for: claim.customer, in: transaction)
        switch definition.claim(having: count, at: time) {
        case .failure(let refusal): return .failure(Self.problem(of: refusal, definition))
        case .success(let number):
            guard try definitions.countIssued(of: definition.id, in: transaction) else {
                return .failure(Self.problem(of: .allIssued, definition))
            }
            let coupon = Coupon(
                id: UUIDv7.make(),
                definition: definition.id,
                customer: claim.customer,
                rule: definition.terms.rule,
                issuedAt: time,
                updatedAt: time
            )
            try coupons.insert(coupon, number: number, in: transaction)
            return .success(coupon)
        }
    }

    private static func problem(of refusal: CouponDefinition.ClaimRefusal, _ definition: CouponDefinition) -> Problem {
        switch refusal {
        case .customerLimit:
            let limit = definition.terms.limitPerCustomer
            return Problem(.couponLimitReached, detail: "One customer may have \(limit) of \(definition.id).")
        case .allIssued: return Problem(.couponsGone, detail: "All coupons of \(definition.id) were issued.")
        case .ended: return Problem(.couponsGone, detail: "The time of \(definition.id) is over.")
        }
    }

    /// A claim, and as its key remembers it.
    private struct Claim: Encodable, Sendable {
        let definition: String
        let customer: String
    }

    private static var keyReused: Problem {
        Problem(
            .idempotencyKeyReused,
            detail: "Use a new key for a new claim.",
            faults: [Problem.Fault(field: IdempotencyKey.header, detail: "was used for another definition or customer")]
        )
    }
}
