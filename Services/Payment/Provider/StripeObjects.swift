import ShopEvents

/// Stripe's payment intent, as far as Payment needs it.
///
/// A field that is missing or of another type is nil: it does not match what was asked, and that is what counts.
struct StripeIntent: Decodable {
    let object: String?
    let id: String?
    let amount: Int64?
    let amountReceived: Int64?
    let currency: String?
    let status: String?
    let orderID: String?
    let lastPaymentError: StripeError?

    private enum CodingKeys: String, CodingKey {
        case object
        case id
        case amount
        case amountReceived = "amount_received"
        case currency
        case status
        case metadata
        case lastPaymentError = "last_payment_error"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        object = try? fields.decode(String.self, forKey: .object)
        id = try? fields.decode(String.self, forKey: .id)
        amount = try? fields.decode(Int64.self, forKey: .amount)
        amountReceived = try? fields.decode(Int64.self, forKey: .amountReceived)
        currency = try? fields.decode(String.self, forKey: .currency)
        status = try? fields.decode(String.self, forKey: .status)
        orderID = try? fields.decode(StripeMetadata.self, forKey: .metadata).orderID
        lastPaymentError = try? fields.decode(StripeError.self, forKey: .lastPaymentError)
    }

    /// What the intent says of a payment's charge (Stripe, "PaymentIntent lifecycle").
    /// - Parameter asked: the intent that the question was about, where it was about one.
    /// - Throws: `ProviderFailure`, a contradiction, unless the intent is the payment's in every respect: id, amount,
    ///   what has come in of it, currency and order.
    func status(for payment: Payment, intent asked: String? = nil) throws -> ChargeStatus {
        let total = StripeAmount(payment.total)
        var check = AnswerCheck(of: "intent")
        check.expect("object", object, "payment_intent")
        let id = check.identity(id, prefix: "pi_", asked: asked)
        check.expect("amount", amount, total?.units)
        check.expect("currency", currency, total?.currency)
        check.expect("metadata[order_id]", orderID, payment.orderID)
        if status == "succeeded" {
            check.expect("amount_received", amountReceived, total?.units)
        } else {
            check.expect("amount_received", amountReceived ?? 0, 0)
        }
        let known: ChargeStatus? =
            switch status {
            case "succeeded": .captured(paymentID: id)
            case "canceled": .canceled
            case "processing": .processing
            case "requires_payment_method":
                lastPaymentError.map { .declined(reason: $0.reason) } ?? .open(intent: id)
            case "requires_confirmation", "requires_action": .open(intent: id)
            default: nil
            }
        if known == nil { check.fail("status", status) }
        try check.finish()
        return known ?? .none
    }

    /// Checks what an error says of the intent that it is about.
    /// - Throws: `ProviderFailure`, a contradiction, when the intent is another payment's, or is charged.
    func checkDeclined(for payment: Payment) throws {
        let total = StripeAmount(payment.total)
        var check = AnswerCheck(of: "intent of the error")
        if let orderID { check.expect("metadata[order_id]", orderID, payment.orderID) }
        if let amount { check.expect("amount", amount, total?.units) }
        if let currency { check.expect("currency", currency, total?.currency) }
        check.expect("amount_received", amountReceived ?? 0, 0)
        switch status {
        case nil, "requires_payment_method", "requires_confirmation", "requires_action", "canceled": break
        default: check.fail("status", status)
        }
        try check.finish()
    }
}

/// Stripe's refund, as far as Payment needs it.
struct StripeRefund: Decodable {
    let object: String?
    let id: String?
    let amount: Int64?
    let currency: String?
    let status: String?
    let paymentIntent: String?
    let orderID: String?
    /// Which partial cancellation of the order it is for; nil for any other refund.
    let part: Int?

    private enum CodingKeys: String, CodingKey {
        case object
        case id
        case amount
        case currency
        case status
        case paymentIntent = "payment_intent"
        case metadata
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        object = try? fields.decode(String.self, forKey: .object)
        id = try? fields.decode(String.self, forKey: .id)
        amount = try? fields.decode(Int64.self, forKey: .amount)
        currency = try? fields.decode(String.self, forKey: .currency)
        status = try? fields.decode(String.self, forKey: .status)
        paymentIntent = try? fields.decode(String.self, forKey: .paymentIntent)
        let metadata = try? fields.decode(StripeMetadata.self, forKey: .metadata)
        orderID = metadata?.orderID
        part = metadata?.part.flatMap { Int($0) }
    }

    /// A refund that is what was asked about.
    struct Checked {
        let id: String
        /// In Stripe's units, from 1 to the payment's total.
        let units: Int64
        let status: RefundStatus
        /// Which partial cancellation it is for; nil for any other refund.
        let part: Int?
    }

    /// The refund, if it is one of a payment's charge.
    ///
    /// One that was made by hand need not name the order: the intent does.
    /// - Throws: `ProviderFailure`, a contradiction.
    func checked(for payment: Payment, paymentID: String) throws -> Checked {
        let total = StripeAmount(payment.total)
        var check = AnswerCheck(of: "refund")
        check.expect("object", object, "refund")
        let id = check.identity(id, prefix: "", asked: nil)
        check.expect("payment_intent", paymentIntent, paymentID)
        check.expect("currency", currency, total?.currency)
        if let orderID { check.expect("metadata[order_id]", orderID, payment.orderID) }
        let isPart = amount.flatMap { amount in total.map { (1...$0.units).contains(amount) } } ?? false
        if !isPart { check.fail("amount", amount) }
        let known: RefundStatus? =
            switch status {
            case "succeeded": .refunded(refundID: id)
            case "pending", "requires_action": .pending(refundID: id)
            case "failed", "canceled": .failed
            default: nil
            }
        if known == nil { check.fail("status", status) }
        try check.finish()
        return Checked(id: id, units: amount ?? 0, status: known ?? .none, part: part)
    }
}

/// What Payment has written beside an object of the provider's.
private struct StripeMetadata: Decodable {
    let orderID: String
    let part: String?

    private enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case part
    }
}

/// Stripe's list, or what its search found; of its own fields only `data` has to be there.
struct StripeList<Element: Decodable>: Decodable {
    let object: String?
    let data: [Element]?
    /// Whether there is more than this page.
    let hasMore: Bool

    private enum CodingKeys: String, CodingKey {
        case object
        case data
        case hasMore = "has_more"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        object = fields.contains(.object) ? (try? fields.decode(String.self, forKey: .object)) ?? "" : nil
        data = try? fields.decode([Element].self, forKey: .data)
        hasMore = (try? fields.decode(Bool.self, forKey: .hasMore)) ?? false
    }

    /// What the list holds.
    /// - Throws: `ProviderFailure`, a contradiction, when it is no list of this kind.
    func elements(of kind: String) throws -> [Element] {
        var check = AnswerCheck(of: "list")
        if let object { check.expect("object", object, kind) }
        if data == nil { check.fail("data", String?.none) }
        try check.finish()
        return data ?? []
    }
}

/// Compares an answer with its question.
struct AnswerCheck {
    private let subject: String
    private var faults: [String] = []

    init(of subject: String) {
        self.subject = subject
    }

    /// Notes a field that says something else than it should.
    mutating func expect<Value: Equatable>(_ field: String, _ value: Value?, _ wanted: Value?) {
        if value == nil || value != wanted { fail(field, value) }
    }

    /// An id that can be one: some letters, digits and underscores.
    mutating func identity(_ id: String?, prefix: String, asked: String?) -> String {
        guard let id, id.hasPrefix(prefix), (prefix.utf8.count + 1...255).contains(id.utf8.count),
            id.utf8.allSatisfy(Self.isOfCode), asked == nil || id == asked
        else {
            fail("id", id)
            return ""
        }
        return id
    }

    /// Notes a field that says what it should not.
    mutating func fail<Value>(_ field: String, _ value: Value?) {
        faults.append("\(field) is \(value.map { Self.shown("\($0)") } ?? "missing")")
    }

    /// - Throws: `ProviderFailure` that names every field at fault.
    func finish() throws(ProviderFailure) {
        guard !faults.isEmpty else { return }
        throw .contradiction("the \(subject) is not what was asked about: \(faults.joined(separator: ", "))")
    }

    /// A value for an operator's eyes: codes and numbers only, as the provider's sentences stay outside.
    private static func shown(_ value: String) -> String {
        guard !value.isEmpty else { return "empty" }
        return StripeError.code(value) ?? "something else"
    }

    static func isOfCode(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
