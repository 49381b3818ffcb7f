import HTTP
import ServiceKit
import ShopEvents

/// The body of `POST /orders`: a draft, or everything that is wrong with it.
struct OrderForm: Decodable {
    let draft: OrderDraft?
    let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let faults = FaultCollector()
        let body = try FieldReader(decoder, faults: faults)
        body.refuseFields(otherThan: ["customer", "currency", "lines", "paymentMethod"])
        let customer = OrderForm.customer(body)
        let currency = OrderForm.currency(body)
        let lines = OrderForm.lines(body)
        let paymentMethod = OrderForm.paymentMethod(body)
        var total: Int64?
        if let lines {
            total = OrderForm.total(of: lines)
            if total == nil {
                let range = OrderLimits.total
                body.fault("lines", "must come to \(range.lowerBound) to \(range.upperBound) minor units in all")
            }
        }
        if let total, let currency { OrderForm.check(Money(amount: total, currency: currency.code), body) }
        self.faults = faults.faults
        if faults.faults.isEmpty, let customer, let currency, let lines, let total, let paymentMethod {
            draft = OrderDraft(
                customer: customer,
                lines: lines,
                total: Money(amount: total, currency: currency.code),
                paymentMethod: paymentMethod
            )
        } else {
            draft = nil
        }
    }

    /// The checked draft.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault.
    func checked() throws -> OrderDraft {
        guard let draft else {
            throw Problem.invalidRequest(faults, detail: "Correct the fields named and send the order again.")
        }
        return draft
    }

    private static func customer(_ body: FieldReader) -> Customer? {
        guard let reader = body.object("customer") else { return nil }
        reader.refuseFields(otherThan: ["email", "name"])
        let email = reader.text("email")
        if let email, EmailAddress(email) == nil {
            reader.fault("email", "must be an e-mail address (local@domain in ASCII, at most 254 bytes)")
        }
        let name = reader.text("name")
        if let name {
            let scalars = name.unicodeScalars
            let range = OrderLimits.nameLength
            if !range.contains(scalars.count) {
                reader.fault("name", "must have \(range.lowerBound) to \(range.upperBound) characters")
            } else if scalars.contains(where: isControl) {
                reader.fault("name", "must not contain control characters or line separators")
            } else if scalars.allSatisfy(\.properties.isWhitespace) {
                reader.fault("name", "must not be blank")
            }
        }
        guard let email, let name else { return nil }
        return Customer(email: email, name: name)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    private static func currency(_ body: FieldReader) -> Currency? {
        guard let code = body.text("currency") else { return nil }
        guard let currency = Currency(code: code) else {
            body.fault("currency", "must be the three-letter code of an active currency (ISO 4217)")
            return nil
        }
        guard Tender.takes(code) else {
            body.fault("currency", "must be a currency that the shop can charge in")
            return nil
        }
        return currency
    }

    /// Notes what keeps a total from being charged: nothing that is refused later than here could be mended by a customer.
    private static func check(_ total: Money, _ body: FieldReader) {
        switch Tender.refusal(of: total) {
        case nil, .currency: break  // A currency that is not taken has its fault already.
        case .multiple(let step):
            body.fault("lines", "must come to a multiple of \(step) minor units in \(total.currency)")
        case .range(let range):
            let bounds = "\(range.lowerBound) to \(range.upperBound)"
            body.fault("lines", "must come to \(bounds) minor units in \(total.currency)")
        }
    }

    /// All lines, or nil when one of them has a fault.
    private static func lines(_ body: FieldReader) -> [OrderLine]? {
        guard let readers = body.objects("lines", count: OrderLimits.lineCount) else { return nil }
        let faultsBefore = body.faults.faults.count
        let lines = readers.compactMap(line)
        return lines.count == readers.count && body.faults.faults.count == faultsBefore ? lines : nil
    }

    private static func line(_ reader: FieldReader) -> OrderLine? {
        reader.refuseFields(otherThan: ["sku", "quantity", "unitPrice"])
        let sku = reader.text("sku")
        if let sku, !OrderLine.isSKU(sku) {
            let range = OrderLimits.skuLength
            reader.fault("sku", "must be \(range.lowerBound) to \(range.upperBound) of A-Z a-z 0-9 . _ -")
        }
        let range = OrderLimits.quantity
        let quantity = reader.integer("quantity", in: Int64(range.lowerBound)...Int64(range.upperBound))
        let unitPrice = reader.integer("unitPrice", in: OrderLimits.unitPrice)
        guard let sku, let quantity, let unitPrice else { return nil }
        return OrderLine(sku: sku, quantity: Int(quantity), unitPrice: unitPrice)
    }

    private static func paymentMethod(_ body: FieldReader) -> String? {
        guard let text = body.text("paymentMethod") else { return nil }
        let range = OrderLimits.paymentMethodLength
        guard range.contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            body.fault(
                "paymentMethod",
                "must be \(range.lowerBound) to \(range.upperBound) printable ASCII characters"
            )
            return nil
        }
        return text
    }

    /// The sum of the lines, or nil when it is out of range.
    private static func total(of lines: [OrderLine]) -> Int64? {
        var total: Int64 = 0
        for line in lines {
            let (price, multiplied) = line.unitPrice.multipliedReportingOverflow(by: Int64(line.quantity))
            let (sum, added) = total.addingReportingOverflow(price)
            guard !multiplied, !added else { return nil }
            total = sum
        }
        return OrderLimits.total.contains(total) ? total : nil
    }
}
