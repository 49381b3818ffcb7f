import HTTP
import ShopEvents

extension StripeGateway: ProviderBooks {
    /// More pages than a day can have.
    private static let mostPages = 10_000

    func order(ofIntent id: String) async throws -> String? {
        let intent = try await intent(id)
        return intent.orderID
    }

    func charge(of payment: Payment, intent id: String) async throws -> ChargeStatus {
        try await intent(id).status(for: payment, intent: id)
    }

    private func intent(_ id: String) async throws -> StripeIntent {
        let path = "/v1/payment_intents/\(PercentEncoding.encode(id))"
        let intent = try await get(.showCharge, path).value(StripeIntent.self)
        var check = AnswerCheck(of: "intent")
        check.expect("object", intent.object, "payment_intent")
        check.expect("id", intent.id, id)
        try check.finish()
        return intent
    }

    func refunds(of payment: Payment, paymentID: String) async throws -> [ProviderObject] {
        try await allRefunds(of: payment, paymentID: paymentID).map { refund in
            let standing: ProviderObject.Standing =
                switch refund.status {
                case .refunded: .moved
                case .failed: .failed
                case .pending, .none: .notMoved
                }
            let money = StripeAmount.money(units: refund.units, currency: payment.total.currency.lowercased())
            return ProviderObject(
                kind: .refund,
                id: refund.id,
                intent: paymentID,
                money: money ?? payment.total,
                standing: standing,
                status: "\(standing)"
            )
        }
    }

    func find(_ kind: ProviderObject.Kind, _ id: String) async throws -> ProviderObject? {
        let answer = try await get(kind.call, "\(kind.path)/\(PercentEncoding.encode(id))")
        if answer.isMissing { return nil }
        let object = try answer.value(StripeBookEntry.self).object(kind)
        guard object.id == id else { throw ProviderFailure.contradiction("the \(kind.rawValue) is another one") }
        return object
    }

    func all(_ kind: ProviderObject.Kind, from start: Int64, to end: Int64) async throws -> [ProviderObject] {
        var objects: [ProviderObject] = []
        var ids: Set<String> = []
        for _ in 0..<Self.mostPages {
            var query = [
                (name: "created[gte]", value: String(start)), (name: "created[lt]", value: String(end)),
                (name: "limit", value: "100"),
            ]
            if let last = objects.last { query.append((name: "starting_after", value: last.id)) }
            let path = "\(kind.path)?\(FormURLEncoded.encode(query))"
            let page = try await get(kind.call, path).value(StripeList<StripeBookEntry>.self)
            let found = try page.elements(of: "list").map { try $0.object(kind) }
            for object in found where !ids.insert(object.id).inserted {
                throw ProviderFailure.contradiction("the list of \(kind.rawValue)s has one of them twice")
            }
            objects += found
            if !page.hasMore || found.isEmpty { return objects }
        }
        throw ProviderFailure.contradiction("the list of \(kind.rawValue)s has no end")
    }
}

extension ProviderObject.Kind {
    fileprivate var path: String {
        switch self {
        case .charge: "/v1/payment_intents"
        case .refund: "/v1/refunds"
        case .dispute: "/v1/disputes"
        }
    }

    fileprivate var call: StripeGateway.Call {
        switch self {
        case .charge: .listCharges
        case .refund: .lookUpRefund
        case .dispute: .lookUpDispute
        }
    }
}

/// An intent, a refund or a dispute of Stripe's, as the books hold it.
private struct StripeBookEntry: Decodable {
    let object: String?
    let id: String?
    let amount: Int64?
    let amountReceived: Int64?
    let currency: String?
    let status: String?
    let reason: String?
    let paymentIntent: String?
    let metadata: [String: String]

    private enum CodingKeys: String, CodingKey {
        case object
        case id
        case amount
        case amountReceived = "amount_received"
        case currency
        case status
        case reason
        case paymentIntent = "payment_intent"
        case metadata
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        object = try? fields.decode(String.self, forKey: .object)
        id = try? fields.decode(String.self, forKey: .id)
        amount = try? fields.decode(Int64.self, forKey: .amount)
        amountReceived = try? fields.decode(Int64.self, forKey: .amountReceived)
        currency = try? fields.decode(String.self, forKey: .currency)
        status = try? fields.decode(String.self, forKey: .status)
        reason = try? fields.decode(String.self, forKey: .reason)
        paymentIntent = try? fields.decode(String.self, forKey: .paymentIntent)
        metadata = (try? fields.decode([String: String].self, forKey: .metadata)) ?? [:]
    }

    /// The entry, if it is one of that kind.
    /// - Throws: `ProviderFailure`, a contradiction.
    func object(_ kind: ProviderObject.Kind) throws -> ProviderObject {
        var check = AnswerCheck(of: kind.rawValue)
        let id = check.identity(id, prefix: "", asked: nil)
        let units = kind == .charge && status == "succeeded" ? amountReceived : amount
        let money = units.flatMap { units in currency.flatMap { StripeAmount.money(units: units, currency: $0) } }
        if money == nil { check.fail("amount", units) }
        guard let status = StripeError.code(status) else {
            check.fail("status", self.status)
            try check.finish()
            throw ProviderFailure.contradiction("the \(kind.rawValue) has no status")
        }
        let standing: ProviderObject.Standing
        switch kind {
        case .charge:
            check.expect("object", object, "payment_intent")
            standing = status == "succeeded" ? .moved : .notMoved
        case .refund:
            check.expect("object", object, "refund")
            standing = status == "succeeded" ? .moved : ["failed", "canceled"].contains(status) ? .failed : .notMoved
        case .dispute:
            check.expect("object", object, "dispute")
            // A bank's question (`warning_…`) has moved nothing.
            standing = status == "won" || status.hasPrefix("warning_") ? .notMoved : .moved
        }
        try check.finish()
        return ProviderObject(
            kind: kind,
            id: id,
            intent: kind == .charge ? id : paymentIntent ?? "",
            money: money ?? Money(amount: 0, currency: ""),
            standing: standing,
            status: status,
            orderID: metadata["order_id"],
            reason: StripeError.code(reason)
        )
    }
}
