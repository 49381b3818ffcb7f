import Events
import HTTP
import JSON
import ServiceKit

// What customers have: coupons and points.
extension Stage {
    /// Three customers claim two coupons at the same moment.
    func claimCoupons() async throws {
        let coupon = try invocation.part(.coupon)
        let name = "scenario-\(UUIDv7.make().suffix(12))"
        let limit: Int64 = 2
        try await coupon.ask(
            "PUT",
            "/coupons/definitions/\(name)",
            ["discount": ["percent": 10], "limit": .integer(limit)]
        )
        step("define", "there are \(limit) of coupon \(name)", order: name)
        let claims = try await Gathering.gather(["ada", "grace", "mary"]) { customer in
            try await coupon.send(
                "POST",
                "/coupons/definitions/\(name)/claims",
                ["customer": .string("\(customer)-\(name)")],
                headers: ["Idempotency-Key": "\"\(UUIDv7.make())\""]
            )
        }
        try claims.check()
        for (customer, answer) in claims.found {
            let outcome = answer.json?["id"]?.text.map { "gets \($0)" } ?? "gets none: \(answer.problem ?? "")"
            step("claim", "\(customer) \(outcome)", order: name)
        }
        let answers = claims.found.map(\.found)
        let issued = answers.filter { $0.status == 201 }.count
        let refused = answers.filter { $0.status == 409 && $0.problem == "coupons-gone" }.count
        try check(
            issued == limit && refused == 1,
            "of three claims \(issued) got a coupon and \(refused) were told that they are gone; there are \(limit)"
        )
        let counted = try await coupon.ask("GET", "/coupons/definitions/\(name)")["issued"]?.integer
        try check(counted == limit, "coupon counts \(counted ?? 0) issued, and there are \(limit)")
        step("compare", "\(limit) are issued, as many as there are", order: name)
    }

    /// One customer spends the same points on two orders at the same moment.
    func spendPointsTwice() async throws {
        let points = try invocation.part(.points)
        let customer = "scenario-\(UUIDv7.make().suffix(12))"
        let (bought, spent): (Int64, Int64) = (1000, 800)
        try await points.ask(
            "POST",
            "/accounts/\(customer)/charges",
            ["total": ["amount": .integer(bought), "currency": "EUR"], "paymentMethod": "pm_card_visa"],
            headers: ["Idempotency-Key": "\"\(UUIDv7.make())\""]
        )
        try await until("\(customer) has \(bought) points") {
            try await balance(of: customer, points) == bought ? true : nil
        }
        step("buy", "\(customer) has \(bought) points", order: customer)

        let draft = OrderClient.Draft()
        let more: [String: JSONValue] = [
            "customer": ["id": .string(customer), "email": .string(draft.email), "name": .string(draft.name)],
            "points": .integer(spent),
        ]
        let ids: [String]
        do {
            ids = try await placeAtOnce([draft, draft], more)
        } catch let failure as CommandFailure where failure.mend?.contains("this shop has no points") == true {
            throw lacking("points", "Order takes none")
        }
        for id in ids { step("place", "order \(id) wants \(spent) of them", order: id) }
        let outcomes = try await decisions(of: ids)
        for (id, order) in zip(ids, outcomes) {
            let status = order["pointsStatus"]?.text ?? "unknown"
            step("wait", "order \(id) is \(OrderGoal.describe(order)), its points \(status)", order: id)
        }
        let confirmed = outcomes.filter { $0["status"]?.text == "confirmed" }.count
        let rejected = outcomes.filter {
            $0["status"]?.text == "rejected" && $0["pointsStatus"]?.text == "rejected"
        }.count
        try check(
            confirmed == 1 && rejected == 1,
            "of two orders for the same points \(confirmed) are confirmed and \(rejected) rejected for want of them"
        )
        // What the card paid earns points again, so there may be a few more than what is left.
        let left = try await balance(of: customer, points)
        try check(
            (bought - spent..<spent).contains(left),
            "\(customer) has \(left) points, after \(spent) of \(bought) were spent once"
        )
        let ledger = try await points.ask("GET", "/ledger")
        try check(
            ledger["isBalanced"] == .bool(true),
            "the ledger of points does not hold together: \(ledger.encoded())"
        )
        step("compare", "\(customer) has \(left) points, and the ledger holds together", order: customer)
    }

    private func balance(of customer: String, _ points: PartClient) async throws -> Int64 {
        let account = try await points.ask("GET", "/accounts/\(customer)")
        return (account["balances"]?.array ?? []).first { $0["currency"]?.text == "EUR" }?["points"]?.integer ?? 0
    }
}
