import JSON
import ShopEvents

/// Money as people read it in tables; JSON keeps the minor units.
enum MoneyText {
    /// `{"amount": 1999, "currency": "EUR"}` as `19.99 EUR`; nil where it is no money or in no currency that is known.
    static func describe(_ money: JSONValue?) -> String? {
        guard let amount = money?["amount"]?.integer, let currency = money?["currency"]?.text else { return nil }
        return Currency(code: currency)?.text(ofMinorUnits: amount)
    }

    /// An order with its total and its prices as text; what is not money stays as it is.
    static func describing(_ order: JSONValue) -> JSONValue {
        var order = order
        guard let total = describe(order["total"]), let currency = order["total"]?["currency"] else { return order }
        order["total"] = .string(total)
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
