import HTTP
import ServiceKit
import ShopEvents

/// What an order may ask for beside its lines, where the shop has somebody for it.
struct OrderExtras: Sendable, Equatable {
    static let fields: Set<String> = ["coupon", "points", "shippingAddress"]

    private(set) var deductions: Deductions?
    private(set) var address: PostalAddress?
    /// Which of the fields are there, right or wrong.
    let given: Set<String>
    /// Who the body says that the customer is.
    let customerID: String?

    private struct Named: Decodable {
        struct Customer: Decodable { let id: String? }
        let customer: Customer?
    }

    /// Reads the fields; faults are noted.
    init(_ body: FieldReader, _ decoder: any Decoder) {
        given = Self.fields.filter(body.has)
        // What is wrong with the customer is noted where the customer is read.
        customerID = (try? Named(from: decoder))?.customer?.id
        var coupon: String?
        if body.has("coupon"), let text = body.text("coupon") {
            coupon = text
            if !OrderLine.isSKU(text) {
                body.fault("coupon", "must be the id of a coupon, 1 to 64 of A-Z a-z 0-9 . _ -")
            }
        }
        let points = body.has("points") ? body.integer("points", in: ContractLimits.points) : nil
        if coupon != nil || points != nil { deductions = Deductions(coupon: coupon, points: points) }
        if body.has("shippingAddress") { address = body.object("shippingAddress").flatMap(PostalAddress.init) }
    }
}

/// What the shop offers to this caller.
struct OrderTerms: Sendable, Equatable {
    var contexts: Set<Shop.Context> = []
    /// Who a customer is that asks with a token of their own; back ends say it themselves.
    var customerID: String?

    init(contexts: Set<Shop.Context> = [], caller: Caller = .local) {
        self.contexts = contexts
        if caller.kind == .customer { customerID = caller.name }
    }

    /// What is wrong with what an order asks for in this shop and from this caller.
    func faults(of extras: OrderExtras) -> [Problem.Fault] {
        var faults: [Problem.Fault] = []
        func check(_ field: String, _ context: Shop.Context, _ what: String) {
            guard extras.given.contains(field), !contexts.contains(context) else { return }
            faults.append(Problem.Fault(field: field, detail: "is not taken: this shop has no \(what)"))
        }
        check("coupon", .coupon, "coupons")
        check("points", .points, "points")
        check("shippingAddress", .shipping, "shipping")
        if let customerID, let claimed = extras.customerID, claimed != customerID {
            faults.append(Problem.Fault(field: "customer.id", detail: "must be left out or be your own"))
        }
        if extras.deductions != nil, customerID ?? extras.customerID == nil {
            faults.append(
                Problem.Fault(field: "customer.id", detail: "is missing: coupons and points belong to a customer")
            )
        }
        return faults
    }
}

/// The body of `PUT /orders/{id}/shipping-address`.
struct AddressForm: Decodable {
    private let address: PostalAddress?
    private let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let body = try FieldReader(decoder, faults: FaultCollector())
        address = PostalAddress(body)
        faults = body.faults.faults
    }

    /// The checked address.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault.
    func checked() throws -> PostalAddress {
        guard let address, faults.isEmpty else { throw Problem.invalidRequest(faults) }
        return address
    }
}

extension PostalAddress {
    /// Reads an address; nil where a field is missing, and what is wrong is noted.
    fileprivate init?(_ body: FieldReader) {
        body.refuseFields(otherThan: ["name", "lines", "postalCode", "city", "country"])
        let name = body.line("name", ContractLimits.nameLength)
        let lines = body.lines("lines", count: ContractLimits.addressLineCount, ContractLimits.nameLength)
        let postalCode = body.line("postalCode", ContractLimits.postalCodeLength)
        let city = body.line("city", ContractLimits.nameLength)
        let country = body.text("country")
        if let country, !PostalAddress.isCountry(country) {
            body.fault("country", "must be two capital letters (ISO 3166-1)")
        }
        guard let name, let lines, let postalCode, let city, let country else { return nil }
        self.init(name: name, lines: lines, postalCode: postalCode, city: city, country: country)
    }
}
