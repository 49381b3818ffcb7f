import Events
import HTTP
import JSON
import ServiceKit

// What there is one of, and what it costs.
extension Stage {
    /// Two customers order the last piece at the same moment.
    func sellLastPiece() async throws {
        let product = try await stock(1, named: "last-piece")
        let ids = try await placeAtOnce([product.draft, product.draft])
        for id in ids { step("place", "order \(id) wants the only \(product.sku)", order: id) }
        let outcomes = try await decisions(of: ids)
        for (id, order) in zip(ids, outcomes) {
            let stock = order["stockStatus"]?.text ?? "unknown"
            step("wait", "order \(id) is \(OrderGoal.describe(order)), its stock \(stock)", order: id)
        }
        let confirmed = outcomes.filter { $0["status"]?.text == "confirmed" }
        let rejected = outcomes.filter { $0["status"]?.text == "rejected" && $0["stockStatus"]?.text == "rejected" }
        try check(
            confirmed.count == 1 && rejected.count == 1,
            "of two orders for one piece \(confirmed.count) are confirmed and \(rejected.count) rejected for want of it"
        )
        try check(
            rejected.first?.member(at: "payment.status")?.text != "captured",
            "who got no piece is charged: \(rejected.first.map(OrderGoal.describe) ?? "")"
        )
        let shelf = try await until("\(product.sku) has left the stock") {
            let shelf = try await invocation.part(.inventory).ask("GET", "/products/\(product.sku)")
            return shelf["onHand"]?.integer == 0 ? shelf : nil
        }
        try check(
            shelf["reserved"]?.integer == 0,
            "of \(product.sku) none is there, and \(shelf.encoded()) is reserved"
        )
        step("compare", "one of two has it, nothing is left and nothing reserved", order: ids[0])
    }

    /// Changes a price between a customer's look and order.
    func changePrice() async throws {
        let product = try await stock(3, named: "price-changed")
        let seen = product.draft.unitPrice
        let now = seen + 200
        try await list(product.sku, at: now)
        try await knownToOrder(product.sku, at: now)
        step("list", "\(product.sku) costs \(now) now, and \(seen) when the customer looked", order: product.sku)
        let refusal = try await order(product.draft)
        try check(
            refusal.status == 409 && refusal.problem == "price-changed",
            "an order at the old price is answered with status \(refusal.status), not 409"
        )
        try check(
            refusal.faults.contains { $0.contains(String(now)) },
            "the refusal does not name the new price: \(refusal.faults.joined(separator: "; "))"
        )
        step("refuse", "at \(seen) it is refused: \(refusal.faults.joined(separator: "; "))", order: product.sku)
        var draft = product.draft
        draft.unitPrice = now
        let id = try await placed(try await order(draft))
        step("place", "order \(id) is placed at the price that was named", order: id)
        try await wait(for: .confirmed, order: id)
        let total = try await invocation.orders().show(id).member(at: "total.amount")?.integer
        try check(total == now, "order \(id) comes to \(total ?? 0), not \(now)")
        step("compare", "order \(id) costs what was named", order: id)
    }

    // MARK: Helpers

    /// A product of the scenario's own.
    struct Product: Sendable {
        let sku: String
        /// One piece of it.
        let draft: OrderClient.Draft
    }

    /// Lists a product with pieces, and waits until Order has heard of it.
    private func stock(_ pieces: Int64, named name: String) async throws -> Product {
        let sku = "\(name)-\(UUIDv7.make().suffix(12))"
        let draft = OrderClient.Draft(sku: sku)
        try await list(sku, at: draft.unitPrice)
        let inventory = try invocation.part(.inventory)
        try await inventory.ask("POST", "/products/\(sku)/stock", ["change": .integer(pieces)])
        step(
            "stock",
            "\(sku) costs \(draft.unitPrice); there \(pieces == 1 ? "is" : "are") \(pieces) of it",
            order: sku
        )
        try await knownToOrder(sku, at: draft.unitPrice)
        return Product(sku: sku, draft: draft)
    }

    private func list(_ sku: String, at price: Int64) async throws {
        try await invocation.part(.inventory).ask(
            "PUT",
            "/products/\(sku)",
            ["name": "Of a scenario", "price": ["amount": .integer(price), "currency": "EUR"]]
        )
    }

    /// Waits until Order sells a product at that price.
    ///
    /// It asks with another price, which is refused with the one that counts.
    ///
    /// - Throws: `CommandFailure` with `.notMet` where the shop takes any price: it has no Inventory.
    private func knownToOrder(_ sku: String, at price: Int64) async throws {
        let draft = OrderClient.Draft(sku: sku, unitPrice: 1, paymentMethod: "pm_card_chargeDeclined")
        try await until("Order has heard that \(sku) costs \(price)") { () -> Bool? in
            let answer = try await order(draft)
            // Its card is declined, so nothing comes of it.
            guard answer.status != 202 else { throw lacking("inventory", "Order takes whatever price it is told") }
            guard answer.problem == "price-changed" else {
                // Not heard of yet: its line is at fault, and nothing else.
                guard answer.status == 422, answer.faults.allSatisfy({ $0.hasPrefix("lines[0].sku") }),
                    !answer.faults.isEmpty
                else { throw try await invocation.orders().client.failure(of: answer) }
                return nil
            }
            return answer.faults.contains { $0.contains("is \(price) now") } ? true : nil
        }
    }
}

extension Stage {
    /// What a shop without that context says.
    func lacking(_ context: String, _ why: String) -> CommandFailure {
        CommandFailure(
            .notMet,
            "the shop has no \(context), which the scenario is about: \(why)",
            mend: "Start Order with \(context) in SHOP_CONTEXTS, and that service beside it."
        )
    }

    /// Sends an order; whatever is answered is the caller's to judge.
    ///
    /// - Parameter more: further members of the body.
    func order(_ draft: OrderClient.Draft, _ more: [String: JSONValue] = [:]) async throws -> ServiceResponse {
        let client = try await invocation.orders().client
        return try await client.send(Self.request(draft, more, to: client))
    }

    private static func request(
        _ draft: OrderClient.Draft,
        _ more: [String: JSONValue],
        to client: ServiceClient
    ) -> ServiceRequest {
        var body = draft.body
        for (name, value) in more { body[name] = value }
        var request = ServiceRequest(method: "POST", url: client.url("/orders"))
        request.headers = ["Content-Type": "application/json", "Idempotency-Key": "\"\(UUIDv7.make())\""]
        request.body = Array(body.encoded().utf8)
        return request
    }

    /// The id of an order that was taken.
    ///
    /// - Throws: `CommandFailure` with what Order says where it was not.
    func placed(_ response: ServiceResponse) async throws -> String {
        guard response.status == 202, let id = response.json?["id"]?.text else {
            throw try await invocation.orders().client.failure(of: response)
        }
        return id
    }

    /// Sends orders at the same moment; gives their ids in the order of the drafts.
    func placeAtOnce(_ drafts: [OrderClient.Draft], _ more: [String: JSONValue] = [:]) async throws -> [String] {
        let client = try await invocation.orders().client
        let requests = drafts.map { Self.request($0, more, to: client) }
        let sent = try await Gathering.gather(requests) { try await client.send($0) }
        try sent.check()
        var ids: [String] = []
        for response in sent.found.map(\.found) { ids.append(try await placed(response)) }
        return ids
    }

    /// Waits until orders are decided; gives them as they are then.
    func decisions(of ids: [String]) async throws -> [JSONValue] {
        var orders: [JSONValue] = []
        for id in ids {
            orders.append(
                try await until("order \(id) is decided") {
                    let order = try await invocation.orders().show(id)
                    return order["status"]?.text == "placed" ? nil : order
                }
            )
        }
        return orders
    }
}
