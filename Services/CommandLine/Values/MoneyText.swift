import JSON
import ShopEvents

/// Money as people read it in tables; JSON keeps the minor units.
enum MoneyText {
    /// `{"amount": 1999, "currency": "EUR"}` as `19.99 EUR`; nil where it is no money or in no currency that is known.
    static func describe(_ money: JSONValue?) -> String? {
        guard let amount = money?["amount"]?.integer, let currency = money?["currency"]?.text else { return nil }
        return Currency(code: currency)?.text(ofMinorUnits: amount)
    }

    /// As it stands in a cell of a table; what is not money, as it came.
    static func cell(_ money: JSONValue?) -> String { describe(money) ?? money?.cell ?? "" }

    /// An order with its total, its discount, what is due and its prices as text; what is not money stays as it is.
    static func describing(_ order: JSONValue) -> JSONValue {
        var order = order
        if let due = describe(order["due"]) { order["due"] = .string(due) }
        guard let total = describe(order["total"]), let currency = order["total"]?["currency"] else { return order }
        order["total"] = .string(total)
        if var deductions = order["deductions"], let discount = deductions["discount"],
            let text = describe(["amount": discount, "currency": currency])
        {
            deductions["discount"] = .string(text)
            order["deductions"] = deductions
        }
        guard let lines = order["lines"]?.array else { return order }
        order["lines"] = .array(
            lines.map { line in
                var line = line
                if let price = line["unitPrice"], let text = describe(["amount": price, "currency": currency]) {
                    line["unitPrice"] = .string(text)
                }
                return line
            }
        )
        return order
    }
}
