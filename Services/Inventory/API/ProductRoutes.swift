import Database
import HTTP
import JSON
import Messaging
import ServiceKit
import ShopEvents

extension InventoryAPI {
    /// `GET /products?query=&after=&limit=`: one page, by name.
    func listProducts(_ request: HTTPRequest) async throws -> HTTPResponse {
        _ = try request.knownCaller
        let query = try ProductQuery(request.query)
        let found = try await database.read { transaction in
            // One more than asked for tells whether there is another page.
            try products.page(
                words: query.words,
                after: query.after,
                limit: query.limit + 1,
                in: transaction
            )
        }
        let shown = Array(found.prefix(query.limit))
        let next = found.count > query.limit ? shown.last?.sku : nil
        let page = ProductPage(products: shown.map { ProductView($0, low: room.rules.low) }, next: next)
        var response = try HTTPResponse.json(page)
        if let next { response.headers["Link"] = "<\(query.path(after: next))>; rel=\"next\"" }
        return response
    }

    /// `GET /products/{sku}`: one product.
    func showProduct(_ request: HTTPRequest) async throws -> HTTPResponse {
        _ = try request.knownCaller
        try request.checkNoQuery()
        let sku = request.parameters["sku"] ?? ""
        guard let product = try await database.read({ try products.find(sku, in: $0) }) else {
            throw Self.unknownProduct
        }
        return try .json(ProductView(product, low: room.rules.low))
    }

    /// `PUT /products/{sku}`: how a product is called and what it costs; 201 for a new one.
    func putProduct(_ request: HTTPRequest) async throws -> HTTPResponse {
        _ = try backEnd(of: request)
        try request.checkNoQuery()
        let sku = request.parameters["sku"] ?? ""
        let form = try request.decode(ProductForm.self).checked(sku)
        let (product, isNew) = try await events.write { transaction in
            try put(form, sku, at: now(), in: transaction)
        }
        var response = try HTTPResponse.json(ProductView(product, low: room.rules.low), status: isNew ? 201 : 200)
        if isNew { response.headers["Location"] = "/products/\(PercentEncoding.encode(sku))" }
        return response
    }

    private func put(
        _ listing: ProductForm.Listing,
        _ sku: String,
        at time: Int64,
        in transaction: Transaction
    ) throws -> (Product, isNew: Bool) {
        guard var product = try products.find(sku, in: transaction) else {
            let product = Product(sku: sku, name: listing.name, price: listing.price, updatedAt: time)
            try products.insert(product, in: transaction)
            try transaction.append(product.listing)
            return (product, true)
        }
        switch product.put(name: listing.name, price: listing.price, at: time) {
        case nil: return (product, false)
        case .listed(let event):
            try transaction.append(event)
            try products.wasListed(sku, at: time, in: transaction)
        case .priceChanged(let event): try transaction.append(event)
        }
        try products.updateListing(of: product, in: transaction)
        return (product, false)
    }

    /// `POST /products/{sku}/stock`: more or fewer lie there than before; repeated under its key it is done once.
    func moveStock(_ request: HTTPRequest) async throws -> HTTPResponse {
        let caller = try backEnd(of: request)
        try request.checkNoQuery()
        let key = try IdempotencyKey.of(request, by: caller)
        let sku = request.parameters["sku"] ?? ""
        let movement = try request.decode(StockForm.self).checked()
        do {
            return try await moveStock(movement, of: sku, by: caller.text, under: key)
        } catch let error as DatabaseError where key != nil && error.code == .constraint(unique: true) {
            // Another instance of this service was first under the key; its answer is there now.
            return try await moveStock(movement, of: sku, by: caller.text, under: key)
        }
    }

    private func moveStock(
        _ movement: StockForm.Movement,
        of sku: String,
        by caller: String,
        under key: IdempotencyKey?
    ) async throws -> HTTPResponse {
        let canonical = try StrictJSON.encode(StockRequest(sku: sku, change: movement.change, reason: movement.reason))
        let request = String(decoding: canonical, as: UTF8.self)
        let (answer, isReplayed) = try await events.write { transaction in
            if let key, let stored = try movements.find(key, in: transaction) {
                guard stored.request == request else { throw Self.keyReused }
                return (stored.answer, true)
            }
            let time = now()
            let product: Product
            do {
                guard let found = try room.adjust(sku, by: movement.change, at: time, in: transaction) else {
                    throw Self.unknownProduct
                }
                product = found
            } catch let refusal as Stockroom.NotFree {
                throw Problem(
                    .stockReserved,
                    detail: "Of \(sku) \(refusal.available) are free; no more than that can be taken away."
                )
            }
            let view = try StrictJSON.encode(ProductView(product, low: room.rules.low))
            let answer = String(decoding: view, as: UTF8.self)
            try movements.appendAdjustment(
                of: movement.change,
                sku,
                reason: movement.reason,
                caller: caller,
                key: key,
                stored: StockMovements.Stored(request: request, answer: answer),
                at: time,
                in: transaction
            )
            return (answer, false)
        }
        var response = HTTPResponse(
            status: 200,
            headers: ["Content-Type": "application/json"],
            body: Array(answer.utf8)
        )
        if isReplayed { response.headers["Idempotency-Replayed"] = "true" }
        return response
    }

    /// A movement as its key remembers it.
    private struct StockRequest: Encodable {
        let sku: String
        let change: Int
        let reason: String?
    }

    private static var unknownProduct: Problem { Problem(.notFound, detail: "There is no such product.") }

    private static var keyReused: Problem {
        Problem(
            .idempotencyKeyReused,
            detail: "Use a new key for a new movement.",
            faults: [Problem.Fault(field: IdempotencyKey.header, detail: "was used with another product or body")]
        )
    }
}
