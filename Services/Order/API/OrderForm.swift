import HTTP
import ServiceKit
import ShopEvents

/// The body of `POST /orders` where the client names the prices: a draft, or everything that is wrong with it.
struct OrderForm: Decodable {
    let draft: OrderDraft?
    private let extras: OrderExtras
    let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let body = try FieldReader(decoder, faults: FaultCollector())
        extras = OrderExtras(body, decoder)
        let wish = OrderWish(body, extras, pricesAreGiven: true)
        draft = wish?.priced(as: wish?.lines.compactMap(\.orderLine) ?? [], body)
        faults = body.faults.faults
    }

    /// The checked draft.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault.
    func checked(_ terms: OrderTerms = OrderTerms()) throws -> OrderDraft {
        let faults = faults + terms.faults(of: extras)
        guard var draft, faults.isEmpty else { throw Problem.order(faults) }
        draft.customer.id = terms.customerID ?? draft.customer.id
        return draft
    }
}

/// The body of `POST /orders` where the shop knows the prices: what is wished for, or everything that is wrong with it.
struct OrderWishForm: Decodable {
    let wish: OrderWish?
    private let extras: OrderExtras
    let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let body = try FieldReader(decoder, faults: FaultCollector())
        extras = OrderExtras(body, decoder)
        wish = OrderWish(body, extras, pricesAreGiven: false)
        faults = body.faults.faults
    }

    /// The checked wish.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault.
    func checked(_ terms: OrderTerms = OrderTerms()) throws -> OrderWish {
        let faults = faults + terms.faults(of: extras)
        guard var wish, faults.isEmpty else { throw Problem.order(faults) }
        wish.customer.id = terms.customerID ?? wish.customer.id
        return wish
    }
}

extension Problem {
    fileprivate static func order(_ faults: [Problem.Fault]) -> Problem {
        .invalidRequest(faults, detail: "Correct the fields named and send the order again.")
    }
}

/// What a customer wishes for, checked, before it has its prices.
struct OrderWish: Sendable, Equatable, Codable {
    struct Line: Sendable, Equatable, Codable {
        let sku: String
        let quantity: Int
        /// What the customer has been shown; nil where they leave it to the shop.
        let unitPrice: Int64?

        fileprivate var orderLine: OrderLine? {
            unitPrice.map { OrderLine(sku: sku, quantity: quantity, unitPrice: $0) }
        }
    }

    var customer: Customer
    let currency: String
    let lines: [Line]
    let paymentMethod: String
    var deductions: Deductions?
    var address: PostalAddress?

    /// The order with the names and prices of this moment.
    ///
    /// - Parameter products: those of the lines that the shop knows.
    /// - Throws: a `Problem`: 422 for products that are not known or are sold in another currency, and for totals that cannot be
    ///   charged; 409 where the customer has been shown other prices.
    func priced(by products: [String: ProductEntry]) throws -> OrderDraft {
        let faults = FaultCollector()
        var changes: [Problem.Fault] = []
        var priced: [OrderLine] = []
        for (index, line) in lines.enumerated() {
            guard let product = products[line.sku] else {
                faults.add("lines[\(index)].sku", "is no product of this shop")
                continue
            }
            guard product.price.currency == currency else {
                faults.add("lines[\(index)].sku", "is sold in \(product.price.currency)")
                continue
            }
            let price = product.price.amount
            if let shown = line.unitPrice, shown != price {
                changes.append(Problem.Fault(field: "lines[\(index)].unitPrice", detail: "is \(price) now"))
            }
            priced.append(
                OrderLine(sku: line.sku, quantity: line.quantity, unitPrice: price, name: product.name)
            )
        }
        guard faults.faults.isEmpty else { throw Problem.order(faults.faults) }
        guard changes.isEmpty else {
            throw Problem(
                .priceChanged,
                detail: "Show the customer the prices of now, and send the order again with them or without any.",
                faults: changes
            )
        }
        guard let draft = draft(of: priced, { faults.add("lines", $0) }) else { throw Problem.order(faults.faults) }
        return draft
    }

    /// The order with these lines; notes why it cannot be charged.
    fileprivate func priced(as lines: [OrderLine], _ body: FieldReader) -> OrderDraft? {
        draft(of: lines) { body.fault("lines", $0) }
    }

    private func draft(of lines: [OrderLine], _ fault: (String) -> Void) -> OrderDraft? {
        guard let amount = OrderWish.total(of: lines) else {
            let range = OrderLimits.total
            fault("must come to \(range.lowerBound) to \(range.upperBound) minor units in all")
            return nil
        }
        let total = Money(amount: amount, currency: currency)
        if let refusal = OrderWish.refusal(of: total) {
            fault(refusal)
            return nil
        }
        return OrderDraft(
            customer: customer,
            lines: lines,
            total: total,
            paymentMethod: paymentMethod,
            deductions: deductions,
            address: address
        )
    }
}

extension OrderWish {
    /// Reads the fields; nil where one of them has a fault, which is noted.
    fileprivate init?(_ body: FieldReader, _ extras: OrderExtras, pricesAreGiven: Bool) {
        body.refuseFields(otherThan: OrderExtras.fields.union(["customer", "currency", "lines", "paymentMethod"]))
        let customer = OrderWish.customer(body)
        let currency = OrderWish.currency(body)
        let lines = OrderWish.lines(body, pricesAreGiven: pricesAreGiven)
        let paymentMethod = OrderWish.paymentMethod(body)
        guard let customer, let currency, let lines, let paymentMethod, body.faults.faults.isEmpty else {
            // All faults at once: what the lines come to is looked at whatever else is wrong.
            let priced = lines?.compactMap(\.orderLine) ?? []
            if pricesAreGiven, let lines, priced.count == lines.count {
                OrderWish.check(priced, currency: currency?.code, body)
            }
            return nil
        }
        self.init(
            customer: customer,
            currency: currency.code,
            lines: lines,
            paymentMethod: paymentMethod,
            deductions: extras.deductions,
            address: extras.address
        )
    }

    private static func check(_ lines: [OrderLine], currency: String?, _ body: FieldReader) {
        guard let total = total(of: lines) else {
            let range = OrderLimits.total
            return body.fault("lines", "must come to \(range.lowerBound) to \(range.upperBound) minor units in all")
        }
        guard let currency, let refusal = refusal(of: Money(amount: total, currency: currency)) else { return }
        body.fault("lines", refusal)
    }

    private static func customer(_ body: FieldReader) -> Customer? {
        guard let reader = body.object("customer") else { return nil }
        reader.refuseFields(otherThan: ["email", "name", "locale", "id"])
        let email = reader.text("email")
        if let email, EmailAddress(email) == nil {
            reader.fault("email", "must be an e-mail address (local@domain in ASCII, at most 254 bytes)")
        }
        let name = reader.line("name", OrderLimits.nameLength)
        let locale = reader.has("locale") ? reader.text("locale") : nil
        if let locale, !Customer.isLocale(locale) {
            reader.fault("locale", "must be a language tag (BCP 47) of 2 to 35 characters, like en or ko-KR")
        }
        let id = reader.has("id") ? reader.line("id", ContractLimits.textLength) : nil
        guard let email, let name else { return nil }
        return Customer(email: email, name: name, locale: locale, id: id)
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

    /// What keeps a total from being charged: nothing that is refused later than here could be mended by a customer.
    private static func refusal(of total: Money) -> String? {
        switch Tender.refusal(of: total) {
        case nil, .currency: nil  // A currency that is not taken has its fault already.
        case .multiple(let step): "must come to a multiple of \(step) minor units in \(total.currency)"
        case .range(let range):
            "must come to \(range.lowerBound) to \(range.upperBound) minor units in \(total.currency)"
        }
    }

    /// All lines, or nil when one of them has a fault.
    private static func lines(_ body: FieldReader, pricesAreGiven: Bool) -> [Line]? {
        guard let readers = body.objects("lines", count: OrderLimits.lineCount) else { return nil }
        let faultsBefore = body.faults.faults.count
        let lines = readers.compactMap { line($0, priceIsGiven: pricesAreGiven) }
        return lines.count == readers.count && body.faults.faults.count == faultsBefore ? lines : nil
    }

    private static func line(_ reader: FieldReader, priceIsGiven: Bool) -> Line? {
        reader.refuseFields(otherThan: ["sku", "quantity", "unitPrice"])
        let sku = reader.sku()
        let range = OrderLimits.quantity
        let quantity = reader.integer("quantity", in: Int64(range.lowerBound)...Int64(range.upperBound))
        let hasPrice = priceIsGiven || reader.has("unitPrice")
        let unitPrice = hasPrice ? reader.integer("unitPrice", in: OrderLimits.unitPrice) : nil
        guard let sku, let quantity, unitPrice != nil || !hasPrice else { return nil }
        return Line(sku: sku, quantity: Int(quantity), unitPrice: unitPrice)
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

/// The body of `PUT /orders/{id}/lines`.
struct LinesForm: Decodable {
    private let quantities: [String: Int]
    private let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let body = try FieldReader(decoder, faults: FaultCollector())
        body.refuseFields(otherThan: ["lines"])
        let most = Int64(OrderLimits.quantity.upperBound)
        var quantities: [String: Int] = [:]
        for reader in body.objects("lines", count: 0...OrderLimits.lineCount.upperBound) ?? [] {
            reader.refuseFields(otherThan: ["sku", "quantity"])
            let (sku, quantity) = (reader.sku(), reader.integer("quantity", in: 0...most))
            guard let sku, let quantity else { continue }
            quantities[sku, default: 0] += Int(quantity)
        }
        self.quantities = quantities
        faults = body.faults.faults
    }

    /// How many stay, by article.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault.
    func checked() throws -> [String: Int] {
        guard faults.isEmpty else { throw Problem.invalidRequest(faults) }
        return quantities
    }
}

extension FieldReader {
    /// The article that a line is about; one that can be none is noted.
    fileprivate func sku() -> String? {
        let sku = text("sku")
        if let sku, !OrderLine.isSKU(sku) {
            let range = OrderLimits.skuLength
            fault("sku", "must be \(range.lowerBound) to \(range.upperBound) of A-Z a-z 0-9 . _ -")
        }
        return sku
    }
}
