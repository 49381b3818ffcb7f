import HTTP
import ServiceKit
import ShopEvents

/// The body of `PUT /products/{sku}`: how a product is called and what it costs, or everything that is wrong with it.
struct ProductForm: Decodable {
    /// What is right.
    struct Listing: Sendable, Equatable {
        let name: String
        let price: Money
    }

    let listing: Listing?
    let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let faults = FaultCollector()
        let body = try FieldReader(decoder, faults: faults)
        body.refuseFields(otherThan: ["name", "price"])
        let name = body.line("name", InventoryLimits.nameLength)
        let price = Self.price(body)
        self.faults = faults.faults
        if faults.faults.isEmpty, let name, let price {
            listing = Listing(name: name, price: price)
        } else {
            listing = nil
        }
    }

    /// What the body says.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault, and the product's name in the path where that cannot be one.
    func checked(_ sku: String) throws -> Listing {
        var faults = faults
        if !OrderLine.isSKU(sku) { faults.insert(Problem.Fault(field: "sku", detail: InventoryLimits.skuRule), at: 0) }
        guard let listing, faults.isEmpty else {
            throw Problem.invalidRequest(faults, detail: "Correct the fields named and send the product again.")
        }
        return listing
    }

    private static func price(_ body: FieldReader) -> Money? {
        guard let reader = body.object("price") else { return nil }
        reader.refuseFields(otherThan: ["amount", "currency"])
        let amount = reader.integer("amount", in: InventoryLimits.price)
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
}

/// What products and reservations must keep to.
///
/// Stated in `openapi.yaml` too.
enum InventoryLimits {
    static let nameLength = ContractLimits.nameLength
    static let skuLength = ContractLimits.skuLength
    static let price = ContractLimits.unitPrice
    static let change: ClosedRange<Int64> = -1_000_000...1_000_000
    static let reasonLength = 1...200
    static let idLength = 1...64
    static let lineCount = ContractLimits.lineCount
    static let quantity = ContractLimits.quantity
    /// Seconds.
    static let expiresIn: ClosedRange<Int64> = 1...86_400
    static let pageSize = 1...100
    static let queryLength = 0...200
    /// How many words of a query are looked for.
    static let queryWords = 10

    static let skuRule = "must be \(skuLength.lowerBound) to \(skuLength.upperBound) of A-Z a-z 0-9 . _ -"
}
