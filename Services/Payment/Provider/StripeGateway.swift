import HTTP
import ShopEvents

/// The payment provider by Stripe's API (`/v1/payment_intents`, `/v1/refunds`).
///
/// Form-encoded requests with HTTP Basic authentication, in one version of the API whatever the account's own is. Charges
/// and refunds carry an idempotency key; the order's id goes along as `metadata[order_id]`, by which a charge is found
/// again whatever became of the answer. Every answer is held against its question (`StripeObjects.swift`).
struct StripeGateway: PaymentProvider {
    private let base: String
    private let key: String
    private let timeout: Duration
    private let client: HTTPClient
    private let userAgent: String

    /// The version of the API that decides the shape of answers (https://docs.stripe.com/api/versioning).
    static let version = "2024-06-20"

    /// A call, as the metrics name it: its path without ids.
    enum Call: String {
        case charge = "/v1/payment_intents"
        case lookUpCharge = "/v1/payment_intents/search"
        case cancel = "/v1/payment_intents/{id}/cancel"
        case showCharge = "/v1/payment_intents/{id}"
        case refund = "/v1/refunds"
        case lookUpDispute = "/v1/disputes"

        static let listCharges = Call.charge
        static let block = Call.charge
        static let lookUpRefund = Call.refund
    }

    /// A gateway.
    /// - Parameters:
    ///   - url: where the provider is, without `/v1`.
    ///   - key: the secret key; never logged.
    ///   - timeout: the longest that one call may take.
    ///   - client: what sends the requests.
    ///   - userAgent: who asks, for the provider's logs.
    init(
        url: String,
        key: String,
        timeout: Duration,
        client: HTTPClient,
        userAgent: String = "Warren (payment-service)"
    ) {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
        self.key = key
        self.timeout = timeout
        self.client = client
        self.userAgent = userAgent
    }

    func takes(_ total: Money) -> Bool { StripeAmount(total) != nil }

    func charge(_ payment: Payment, _ charge: Payment.Charge) async throws -> ChargeStatus {
        let parameters =
            try intentParameters(payment) + [
                ("payment_method", charge.paymentMethod),
                ("payment_method_types[]", "card"),
                ("confirm", "true"),
                ("error_on_requires_action", "true"),
            ]
        let answer = try await post(.charge, "/v1/payment_intents", parameters, key: charge.key)
        if let reason = try answer.declineReason(for: payment) { return .declined(reason: reason) }
        return try answer.value(StripeIntent.self).status(for: payment)
    }

    func lookUpCharge(of payment: Payment) async throws -> ChargeStatus {
        let wanted = "metadata['order_id']:'\(Self.quoted(payment.orderID))'"
        let query = FormURLEncoded.encode([("query", wanted), ("limit", "100")])
        let path = "/v1/payment_intents/search?\(query)"
        let found = try await get(.lookUpCharge, path).value(StripeList<StripeIntent>.self)
        let intents = try found.elements(of: "search_result").filter { intent in
            // The search may take small and capital letters for the same.
            intent.orderID == payment.orderID || intent.orderID?.lowercased() != payment.orderID.lowercased()
        }
        let known = try intents.map { (id: $0.id, status: try $0.status(for: payment)) }
        guard !found.hasMore, Set(known.map(\.id)).count == known.count else {
            throw ProviderFailure.contradiction("the list of the order's intents has no end, or one of them twice")
        }
        guard known.count(where: { $0.status.weight == ChargeStatus.heaviest }) <= 1 else {
            throw ProviderFailure.contradiction("the order is charged more than once")
        }
        return known.map(\.status).max { $0.weight < $1.weight } ?? .none
    }

    func block(_ payment: Payment, _ charge: Payment.Charge) async throws -> String {
        let answer = try await post(.block, "/v1/payment_intents", intentParameters(payment), key: charge.key)
        let intent = try answer.value(StripeIntent.self)
        guard case .open(let id) = try intent.status(for: payment) else {
            throw ProviderFailure.contradiction("an intent without a card is \(intent.status ?? "nothing")")
        }
        return id
    }

    func cancel(intent: String, of payment: Payment) async throws {
        let path = "/v1/payment_intents/\(PercentEncoding.encode(intent))/cancel"
        let answer = try await post(.cancel, path, [("cancellation_reason", "abandoned")], key: nil)
        let status = try answer.value(StripeIntent.self).status(for: payment, intent: intent)
        guard status == .canceled else {
            throw ProviderFailure.contradiction("the intent is not canceled, though the provider says so")
        }
    }

    func refund(_ payment: Payment, paymentID: String, key: String) async throws -> RefundStatus {
        let parameters = [("payment_intent", paymentID), ("metadata[order_id]", payment.orderID)]
        let answer = try await post(.refund, "/v1/refunds", parameters, key: key)
        let refund = try answer.value(StripeRefund.self).checked(for: payment, paymentID: paymentID)
        if refund.units == StripeAmount(payment.total)?.units { return refund.status }
        // Less than all: right where the rest has gone back before, and then the list says so.
        let status = try await lookUpRefund(of: payment, paymentID: paymentID)
        guard status != .none else {
            throw ProviderFailure.contradiction("the refund is of \(refund.units) units only, and there is no other")
        }
        return status
    }

    func lookUpRefund(of payment: Payment, paymentID: String) async throws -> RefundStatus {
        let refunds = try await allRefunds(of: payment, paymentID: paymentID)
        return try Self.status(of: refunds, units: StripeAmount(payment.total)?.units ?? 0)
    }

    func refund(_ part: PartRefund, of payment: Payment, paymentID: String) async throws -> RefundStatus {
        guard let amount = StripeAmount(part.money) else {
            throw ProviderFailure(
                kind: .refused,
                errorClass: "payment.amount-not-chargeable",
                reason: "the provider cannot express the amount"
            )
        }
        let parameters = [
            ("payment_intent", paymentID), ("amount", String(amount.units)), ("metadata[order_id]", payment.orderID),
            ("metadata[part]", String(part.number)),
        ]
        let answer = try await post(.refund, "/v1/refunds", parameters, key: part.key)
        let refund = try answer.value(StripeRefund.self).checked(for: payment, paymentID: paymentID)
        guard refund.part == part.number, refund.units == amount.units else {
            throw ProviderFailure.contradiction(
                "the refund is of part \(refund.part ?? 0) and \(refund.units) units, and part \(part.number) is of \(amount.units)"
            )
        }
        return refund.status
    }

    func lookUpRefund(of part: PartRefund, of payment: Payment, paymentID: String) async throws -> RefundStatus {
        let units = StripeAmount(part.money)?.units
        let refunds = try await allRefunds(of: payment, paymentID: paymentID)
        let own = refunds.filter { $0.part == part.number }
        let standing = own.filter { $0.status != .failed }
        guard standing.count <= 1, own.allSatisfy({ $0.units == units }) else {
            throw ProviderFailure.contradiction("part \(part.number) is refunded twice, or with another amount")
        }
        guard standing.isEmpty, let failed = own.first else { return standing.first?.status ?? .none }
        // One that failed is made good by hand, in the provider's dashboard, which writes nothing beside it.
        let later = refunds.prefix { $0.id != failed.id }
        return later.first { $0.part == nil && $0.units == units && $0.status != .failed }?.status ?? .failed
    }

    /// Every refund of a payment's charge, newest first, each held against it.
    func allRefunds(of payment: Payment, paymentID: String) async throws -> [StripeRefund.Checked] {
        var refunds: [StripeRefund.Checked] = []
        var isWhole = false
        while !isWhole {
            var query = [(name: "payment_intent", value: paymentID), (name: "limit", value: "100")]
            if let last = refunds.last { query.append((name: "starting_after", value: last.id)) }
            let path = "/v1/refunds?\(FormURLEncoded.encode(query))"
            let page = try await get(.lookUpRefund, path).value(StripeList<StripeRefund>.self)
            let found = try page.elements(of: "list").map { try $0.checked(for: payment, paymentID: paymentID) }
            refunds += found
            isWhole = !page.hasMore
            let isEndless = page.hasMore && (found.isEmpty || refunds.count > Self.mostRefunds)
            guard !isEndless, Set(refunds.map(\.id)).count == refunds.count else {
                throw ProviderFailure.contradiction("the list of refunds has no end, or one of them twice")
            }
        }
        return refunds
    }

    /// More refunds than one charge can have been given back in.
    private static let mostRefunds = 1000

    /// What several refunds of one charge come to.
    private static func status(of refunds: [StripeRefund.Checked], units: Int64) throws -> RefundStatus {
        var (back, left) = (Int64(0), units)
        var last: String?
        var pending: RefundStatus?
        var isPart = true
        for refund in refunds {
            switch refund.status {
            case .refunded(let id):
                back += refund.units
                last = last ?? id
            case .pending:
                // That of a part is another's to wait for, as long as something else is left to give back.
                if pending == nil || isPart { (pending, isPart) = (refund.status, refund.part != nil) }
            case .failed, .none:
                continue
            }
            // None is more than all, so what is left cannot run over.
            left -= refund.units
            guard left >= 0 else {
                throw ProviderFailure.contradiction("more is refunded than was charged")
            }
        }
        if let last, back == units { return .refunded(refundID: last) }
        if let pending, left == 0 || !isPart { return pending }
        return refunds.contains { $0.status == .failed && $0.part == nil } ? .failed : .none
    }

    /// Escapes a value for a quoted string of the search language.
    static func quoted(_ value: String) -> String {
        var quoted = String.UnicodeScalarView()
        for scalar in value.unicodeScalars {
            if scalar == "'" || scalar == "\\" { quoted.append("\\") }
            quoted.append(scalar)
        }
        return String(quoted)
    }

    private func intentParameters(_ payment: Payment) throws -> [(String, String)] {
        guard let total = StripeAmount(payment.total) else {
            throw ProviderFailure(
                kind: .refused,
                errorClass: "payment.amount-not-chargeable",
                reason: "the provider cannot express the amount"
            )
        }
        return [
            ("amount", String(total.units)),
            ("currency", total.currency),
            ("metadata[order_id]", payment.orderID),
        ]
    }

    func get(_ call: Call, _ path: String) async throws -> StripeAnswer {
        try await send(call, HTTPClient.Request("GET", base + path))
    }

    private func post(
        _ call: Call,
        _ path: String,
        _ parameters: [(String, String)],
        key: String?
    ) async throws -> StripeAnswer {
        var request = HTTPClient.Request("POST", base + path)
        request.headers["Content-Type"] = "application/x-www-form-urlencoded"
        if let key { request.headers["Idempotency-Key"] = key }
        request.body = Array(FormURLEncoded.encode(parameters.map { (name: $0.0, value: $0.1) }).utf8)
        return try await send(call, request)
    }

    private func send(_ call: Call, _ request: HTTPClient.Request) async throws -> StripeAnswer {
        var request = request
        request.headers["Stripe-Version"] = Self.version
        request.headers["User-Agent"] = userAgent
        request.basicCredentials = (user: key, password: "")
        request.timeout = timeout
        request.connectTimeout = min(timeout, .seconds(5))
        request.route = call.rawValue
        do {
            return StripeAnswer(try await client.send(request))
        } catch let failure as HTTPClient.Failure {
            throw ProviderFailure(
                kind: .unknown,
                errorClass: "payment.provider-unavailable",
                reason: "no answer: \(failure.code)"
            )
        }
    }
}

extension ChargeStatus {
    /// The weight of money that has moved.
    fileprivate static let heaviest = 5

    /// Which of several intents of one order tells what became of it: money that moved or may move comes first.
    fileprivate var weight: Int {
        switch self {
        case .none: 0
        case .canceled: 1
        case .open: 2
        case .declined: 3
        case .processing: 4
        case .captured: Self.heaviest
        }
    }
}
