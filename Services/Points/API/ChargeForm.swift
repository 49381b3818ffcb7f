import HTTP
import ServiceKit
import ShopEvents

/// The body of `POST /accounts/{customer}/charges`: the points that a customer buys, or everything that is wrong with it.
struct ChargeForm: Decodable {
    /// What is right.
    struct Wish: Sendable, Equatable {
        let total: Money
        let paymentMethod: String
    }

    let wish: Wish?
    let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let faults = FaultCollector()
        let body = try FieldReader(decoder, faults: faults)
        body.refuseFields(otherThan: ["total", "paymentMethod"])
        let total = Self.total(body)
        let paymentMethod = Self.paymentMethod(body)
        self.faults = faults.faults
        if faults.faults.isEmpty, let total, let paymentMethod {
            wish = Wish(total: total, paymentMethod: paymentMethod)
        } else {
            wish = nil
        }
    }

    /// What the body says.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault.
    func checked() throws -> Wish {
        guard let wish else {
            throw Problem.invalidRequest(faults, detail: "Correct the fields named and send the charge again.")
        }
        return wish
    }

    /// Nothing that is refused later than here could be mended by a customer.
    private static func total(_ body: FieldReader) -> Money? {
        guard let reader = body.object("total") else { return nil }
        reader.refuseFields(otherThan: ["amount", "currency"])
        let amount = reader.integer("amount", in: PointsLimits.amount)
        let currency = reader.text("currency")
        if let currency {
            if Currency(code: currency) == nil {
                reader.fault("currency", "must be the three-letter code of an active currency (ISO 4217)")
            } else if !Tender.takes(currency) {
                reader.fault("currency", "must be a currency that the shop can charge in")
            }
        }
        guard let amount, let currency else { return nil }
        let total = Money(amount: amount, currency: currency)
        switch Tender.refusal(of: total) {
        case nil: return total
        case .currency: return nil  // It has its fault already.
        case .multiple(let step): reader.fault("amount", "must be a multiple of \(step) in \(currency)")
        case .range(let range):
            reader.fault("amount", "must be from \(range.lowerBound) to \(range.upperBound) in \(currency)")
        }
        return nil
    }

    private static func paymentMethod(_ body: FieldReader) -> String? {
        guard let text = body.text("paymentMethod") else { return nil }
        let range = PointsLimits.paymentMethodLength
        guard range.contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            body.fault(
                "paymentMethod",
                "must be \(range.lowerBound) to \(range.upperBound) printable ASCII characters"
            )
            return nil
        }
        return text
    }
}
