import HTTP
import ServiceKit
import ShopEvents
import Telemetry

/// The body of `PUT /coupons/definitions/{id}`: what coupons take off and how many there are, or everything that is wrong with it.
struct DefinitionForm: Decodable {
    let terms: CouponDefinition.Terms?
    let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let faults = FaultCollector()
        let body = try FieldReader(decoder, faults: faults)
        body.refuseFields(otherThan: [
            "discount", "minimum", "validFrom", "validUntil", "limit", "limitPerCustomer",
        ])
        let discount = Self.discount(body)
        let minimum = body.has("minimum") ? Self.money(body, "minimum") : nil
        if case .amount(let amount)? = discount, let minimum, minimum.currency != amount.currency {
            body.fault("minimum.currency", "must be the currency of the discount")
        }
        let validFrom = body.has("validFrom") ? Self.time(body, "validFrom") : nil
        let validUntil = body.has("validUntil") ? Self.time(body, "validUntil") : nil
        if let validFrom, let validUntil, validUntil <= validFrom {
            body.fault("validUntil", "must be after validFrom")
        }
        let limit = body.has("limit") ? body.integer("limit", in: CouponLimits.limit) : nil
        let limitPerCustomer =
            body.has("limitPerCustomer") ? body.integer("limitPerCustomer", in: CouponLimits.limitPerCustomer) : 1
        self.faults = faults.faults
        if faults.faults.isEmpty, let discount, let limitPerCustomer {
            terms = CouponDefinition.Terms(
                rule: CouponRule(
                    discount: discount,
                    minimum: minimum,
                    validFrom: validFrom,
                    validUntil: validUntil
                ),
                limit: limit.map { Int($0) },
                limitPerCustomer: Int(limitPerCustomer)
            )
        } else {
            terms = nil
        }
    }

    /// What the body says.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault, and the definition's name in the path where that cannot be
    ///   one.
    func checked(_ id: String) throws -> CouponDefinition.Terms {
        var faults = faults
        if !CouponLimits.isID(id) { faults.insert(Problem.Fault(field: "id", detail: CouponLimits.idRule), at: 0) }
        guard let terms, faults.isEmpty else {
            throw Problem.invalidRequest(faults, detail: "Correct the fields named and send the definition again.")
        }
        return terms
    }

    private static func discount(_ body: FieldReader) -> CouponRule.Discount? {
        guard let reader = body.object("discount") else { return nil }
        reader.refuseFields(otherThan: ["percent", "amount"])
        switch (reader.has("percent"), reader.has("amount")) {
        case (true, false):
            return reader.integer("percent", in: CouponLimits.percent).map { .percent(Int($0)) }
        case (false, true): return money(reader, "amount").map { .amount($0) }
        default:
            body.fault("discount", "must have either percent or amount")
            return nil
        }
    }

    private static func money(_ body: FieldReader, _ name: String) -> Money? {
        guard let reader = body.object(name) else { return nil }
        reader.refuseFields(otherThan: ["amount", "currency"])
        let amount = reader.integer("amount", in: CouponLimits.amount)
        let currency = reader.text("currency")
        if let currency {
            if Currency(code: currency) == nil {
                reader.fault("currency", "must be the three-letter code of an active currency (ISO 4217)")
            } else if !Tender.takes(currency) {
                reader.fault("currency", "must be a currency that the shop can charge in")
            }
        }
        guard let amount, let currency else { return nil }
        return Money(amount: amount, currency: currency)
    }

    private static func time(_ body: FieldReader, _ name: String) -> Int64? {
        guard let text = body.text(name) else { return nil }
        guard let time = Timestamp(rfc3339: text) else {
            body.fault(name, "must be a time as RFC 3339 has it, such as 2026-01-01T00:00:00Z")
            return nil
        }
        return time.milliseconds
    }
}

/// What definitions, claims and questions must keep to.
///
/// Stated in `openapi.yaml` too.
enum CouponLimits {
    static let idLength = ContractLimits.skuLength
    static let percent: ClosedRange<Int64> = 1...100
    static let amount = ContractLimits.amount
    static let limit: ClosedRange<Int64> = 1...10_000_000
    static let limitPerCustomer: ClosedRange<Int64> = 1...1_000
    static let customerLength = ContractLimits.textLength
    static let pageSize = 1...100

    static let idRule = "must be \(idLength.lowerBound) to \(idLength.upperBound) of A-Z a-z 0-9 . _ -"

    /// Whether a text can name a definition; the same letters as an article's.
    static func isID(_ text: String) -> Bool { OrderLine.isSKU(text) }
}
