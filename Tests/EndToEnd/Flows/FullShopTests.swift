import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("A shop with everything: Inventory, Coupon, Points and Shipping")
    struct FullShop {
        private func open(
            _ environment: [Shop.Program: [String: String]] = [:],
            _ body: (Shop) async throws -> Void
        ) async throws {
            var options = Shop.Options()
            options.contexts = Shop.Program.contexts
            options.environment = environment
            try await Shop.open(options) { shop in
                try await shop.list(price: 1250)
                try await shop.stock(20)
                try await shop.waitForPrice(1250)
                try await shop.defineCoupon()
                try await shop.buyPoints(1000)
                try await body(shop)
            }
        }

        @Test("lets a coupon, points and a card pay, in that order, and brings what was ordered")
        func delivered() async throws {
            try await open { shop in
                let coupon = try await shop.claimCoupon()
                let id = try await shop.buy(2, coupon: coupon, points: 400)
                let order = try await shop.waitFor("confirmed", order: id)
                #expect(order["total"]["amount"].integer == 2500)
                #expect(order["deductions"] == ["coupon": .string(coupon), "discount": 250, "points": 400])
                #expect(order["due"]["amount"].integer == 1850)
                #expect(try await shop.charged(id) == 1850)
                let sent = try await shop.waitForField("shippingStatus", "delivered", order: id)
                #expect(sent["trackingCode"].text?.isEmpty == false)
                try await shop.waitForField("couponStatus", "confirmed", order: id)
                #expect(try await shop.coupon(coupon) == "used")
                // 1 % of what the card paid.
                try await shop.waitForPoints(1000 - 400 + 18)
                #expect(try await shop.books() == "18 on hand, 0 reserved")
                try await shop.waitForMail("confirmed", about: id)
                try await shop.waitForMail("on its way", about: id)
                let refused = try await shop.probe(.order).post("/orders/\(id)/cancel")
                #expect(refused.status == 409, "\(refused.text)")
                try await shop.expectNothingIsLost()
            }
        }

        @Test("gives coupon, points, money and pieces back when an order is cancelled, and none of them twice")
        func cancelled() async throws {
            try await open { shop in
                let coupon = try await shop.claimCoupon()
                // Without an address, so that it is not on its way before it is cancelled.
                let id = try await shop.buy(2, coupon: coupon, points: 400, isShipped: false)
                try await shop.waitFor("confirmed", order: id)
                try await shop.waitForPoints(1000 - 400 + 18)
                try await shop.cancel(id)
                try await shop.waitForPayment("refunded", order: id)
                try await shop.waitForField("couponStatus", "released", order: id)
                try await shop.waitForField("pointsStatus", "restored", order: id)
                try await shop.waitForStock("released", order: id)
                try await shop.waitForPoints(1000)
                #expect(try await shop.coupon(coupon) == "issued")
                #expect(try await shop.books() == "20 on hand, 0 reserved")
                #expect(try await shop.refunds(of: id) == 1)
                // It is as good as new.
                let next = try await shop.buy(2, coupon: coupon, points: 1000)
                let order = try await shop.waitFor("confirmed", order: next)
                #expect(order["due"]["amount"].integer == 1250)
                try await shop.expectNothingIsLost()
            }
        }

        @Test("gives back the share of what is cancelled, to card and points, and the rest when all is, each once")
        func partlyCancelled() async throws {
            try await open { shop in
                let coupon = try await shop.claimCoupon()
                let id = try await shop.buy(4, coupon: coupon, points: 400, isShipped: false)
                try await shop.waitFor("confirmed", order: id)
                try await shop.waitForField("stockStatus", "confirmed", order: id)
                try await shop.waitForField("couponStatus", "confirmed", order: id)
                // 50.00 EUR less 5.00 and 4.00.
                try await shop.waitForPoints(1000 - 400 + 41)
                let kept = JSONValue.object(["lines": [["sku": "tea-500", "quantity": 3]]])
                let answer = try await shop.probe(.order).put("/orders/\(id)/lines", kept)
                #expect(answer.status == 202, "\(answer.text)")
                let again = try await shop.probe(.order).put("/orders/\(id)/lines", kept)
                #expect(again.status == 200, "\(again.text)")
                try await shop.waitForMail("A part of your order", about: id)
                let order = try await eventually("the part of order \(id) is refunded", within: .seconds(90)) {
                    let order = try await shop.order(id)
                    return order["cancelled"].elements.first?["refundStatus"].text == "completed" ? order : nil
                }
                #expect(order["status"].text == "confirmed")
                #expect(order["cancelled"].elements.first?["refund"]["amount"].integer == 1025)
                #expect(order["cancelled"].elements.first?["points"].integer == 100)
                try await shop.waitForPoints(641 + 100 - 10)
                _ = try await eventually("a piece is back", within: .seconds(90)) {
                    try await shop.books() == "17 on hand, 0 reserved" ? true : nil
                }
                #expect(try await shop.refunds(of: id) == 1)
                try await shop.cancel(id)
                try await shop.waitForPayment("refunded", order: id)
                try await shop.waitForField("pointsStatus", "restored", order: id)
                try await shop.waitForStock("released", order: id)
                try await shop.waitForPoints(1000)
                #expect(try await shop.books() == "20 on hand, 0 reserved")
                #expect(try await shop.refunds(of: id) == 2)
                try await shop.expectNothingIsLost()
            }
        }

        @Test("is shown by the warren command: products, coupons, points, and what became of an order")
        func words() async throws {
            try await open { shop in
                let coupon = try await shop.claimCoupon()
                let id = try await shop.buy(2, coupon: coupon, points: 400, isShipped: false)
                try await shop.waitFor("confirmed", order: id)
                try await shop.waitForField("couponStatus", "confirmed", order: id)
                try await shop.waitForPoints(1000 - 400 + 18)
                let product = try await shop.told("products", "show", "tea-500")
                #expect(product.contains("price      12.50 EUR"), "\(product)")
                let products = try await shop.told("products", "list", "--query", "tea", "--limit", "1")
                #expect(products.contains("tea-500  12.50 EUR       18         0         18"), "\(products)")
                let coupons = try await shop.told("coupons", "list", "--customer", "ada")
                #expect(coupons.contains("\(coupon)  used   ada       ten-percent      10 %"), "\(coupons)")
                #expect(try await shop.told("coupons", "list", "--customer", "nobody", "-o", "jsonl").isEmpty)
                #expect(try await shop.told("coupons", "show", coupon).contains("orderID     \(id)"))
                let points = try await shop.told("points", "show", "--customer", "ada")
                #expect(points.contains("EUR          618"), "\(points)")
                let orders = try await shop.told("order", "list")
                #expect(orders.contains("STATUS     PAYMENT   STOCK      COUPON     POINTS  SHIPPING"), "\(orders)")
                #expect(orders.contains("confirmed  captured  confirmed  confirmed  spent   pending "), "\(orders)")
                try await shop.cancel(id)
                let order = try await shop.told("order", "show", id)
                #expect(order.contains("ended                order.cancelled by local"), "\(order)")
                #expect(order.contains("deductions.discount  2.50 EUR"), "\(order)")
                #expect(order.contains("due                  18.50 EUR"), "\(order)")
                #expect(try await shop.warren("products", "show", "nothing").end == .exit(3))
                #expect(try await shop.warren("coupons", "show", id).end == .exit(3))
            }
        }

        @Test("takes orders while Coupon is away; those that have one wait for it, and no other does")
        func couponAway() async throws {
            try await open { shop in
                let coupon = try await shop.claimCoupon()
                try await shop.kill(.coupon)
                let waiting = try await shop.buy(1, coupon: coupon, points: 100)
                let other = try await shop.buy(1, points: 100)
                try await shop.waitFor("confirmed", order: other)
                try await shop.waitForStock("reserved", order: waiting)
                let order = try await shop.order(waiting)
                #expect(order["status"].text == "placed")
                #expect(order["couponStatus"].text == "requested")
                #expect(try await shop.charges(of: waiting) == 0)
                try await shop.restart(.coupon)
                try await shop.waitFor("confirmed", order: waiting)
                try await shop.waitForField("couponStatus", "confirmed", order: waiting)
                #expect(try await shop.charged(waiting) == 1250 - 125 - 100)
                try await shop.expectNothingIsLost()
            }
        }

        @Test("conserves every point while Points is killed in the middle")
        func pointsKilled() async throws {
            try await open { shop in
                var ids: [String] = []
                for _ in 1...3 {
                    for _ in 1...3 { ids.append(try await shop.buy(1, points: 160, isShipped: false)) }
                    try await shop.kill(.points)
                    try await shop.restart(.points)
                }
                // There are points for six of them, and what those earn is not enough for another one.
                var outcomes: [String: [String]] = [:]
                for id in ids {
                    let order = try await eventually("order \(id) is decided", within: .seconds(120)) {
                        let order = try await shop.order(id)
                        return order["status"].text == "placed" ? nil : order
                    }
                    outcomes[order["status"].text ?? "", default: []].append(id)
                }
                #expect(outcomes["confirmed"]?.count == 6, "\(outcomes)")
                #expect(outcomes["rejected"]?.count == 3, "\(outcomes)")
                // 1 % of the 10.90 that a card paid.
                try await shop.waitForPoints(1000 - 6 * 160 + 6 * 10)
                for id in outcomes["confirmed"] ?? [] { try await shop.cancel(id) }
                for id in outcomes["confirmed"] ?? [] {
                    try await shop.waitForField("pointsStatus", "restored", order: id)
                    try await shop.waitForPayment("refunded", order: id)
                }
                try await shop.waitForPoints(1000)
                try await shop.expectNothingIsLost()
            }
        }
    }
}

extension Shop {
    fileprivate func defineCoupon() async throws {
        let reply = try await probe(.coupon).send(
            "PUT",
            "/coupons/definitions/ten-percent",
            headers: ["Content-Type": "application/json"],
            body: (["discount": ["percent": 10], "limitPerCustomer": 10] as JSONValue).bytes
        )
        guard reply.status == 201 else { throw TimedOut("PUT answered \(reply.status): \(reply.text)") }
    }

    /// Ada claims a coupon of ten percent; gives its id.
    fileprivate func claimCoupon() async throws -> String {
        let reply = try await probe(.coupon).post("/coupons/definitions/ten-percent/claims", ["customer": "ada"])
        guard reply.status == 201, let id = try reply.json["id"].text else {
            throw TimedOut("the claim was answered \(reply.status): \(reply.text)")
        }
        return id
    }

    /// What the command writes, which ends with 0.
    fileprivate func told(_ arguments: String...) async throws -> String {
        let done = try await ChildProcess.run(
            try TestEnvironment.program("warren"),
            arguments,
            environment: commandEnvironment
        )
        #expect(done.end == .exit(0), "\(arguments): \(done.errors)")
        return done.output
    }

    fileprivate func coupon(_ id: String) async throws -> String? {
        try await probe(.coupon).get("/coupons/\(id)").json["state"].text
    }

    /// Ada buys points and has them.
    fileprivate func buyPoints(_ count: Int64) async throws {
        let reply = try await probe(.points).post(
            "/accounts/ada/charges",
            ["total": ["amount": .integer(count), "currency": "EUR"], "paymentMethod": "pm_card_visa"]
        )
        guard reply.status == 202 else { throw TimedOut("the charge was answered \(reply.status): \(reply.text)") }
        try await waitForPoints(count)
    }

    fileprivate func waitForPoints(_ count: Int64) async throws {
        _ = try await eventually("Ada has \(count) points", within: .seconds(90)) {
            let balances = try await self.probe(.points).get("/accounts/ada").json["balances"].elements
            return balances.first { $0["currency"].text == "EUR" }?["points"].integer == count ? true : nil
        }
    }

    /// Ada orders tea; gives the order's id.
    fileprivate func buy(
        _ quantity: Int64,
        coupon: String? = nil,
        points: Int64,
        isShipped: Bool = true
    ) async throws -> String {
        var body: [String: JSONValue] = [
            "customer": ["id": "ada", "email": "ada@example.com", "name": "Ada Lovelace"], "currency": "EUR",
            "lines": [["sku": "tea-500", "quantity": .integer(quantity)]], "paymentMethod": "pm_card_visa",
            "points": .integer(points),
        ]
        if let coupon { body["coupon"] = .string(coupon) }
        if isShipped {
            body["shippingAddress"] = [
                "name": "Ada Lovelace", "lines": ["12 St James's Square"], "postalCode": "SW1Y 4JH", "city": "London",
                "country": "GB",
            ]
        }
        let reply = try await probe(.order).post("/orders", .object(body))
        guard reply.status == 202, let id = try reply.json["id"].text else {
            throw TimedOut("POST /orders answered \(reply.status): \(reply.text)")
        }
        return id
    }

    @discardableResult
    fileprivate func waitForField(_ field: String, _ value: String, order id: String) async throws -> JSONValue {
        try await eventually("the \(field) of order \(id) is \(value)", within: .seconds(90)) {
            let order = try await self.order(id)
            return order[field].text == value ? order : nil
        }
    }

    /// What the card was charged for the order, as Payment knows it.
    fileprivate func charged(_ id: String) async throws -> Int64? {
        try await probe(.payment).get("/payments/\(id)").json["total"]["amount"].integer
    }

    /// Nothing is dead anywhere, and the ledger of points holds together.
    fileprivate func expectNothingIsLost(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        for program in [Program.order, .payment, .notification] + Program.contexts {
            let dead = try await deliveries(program, "dead")
            #expect(dead.isEmpty, "\(program.rawValue): \(dead)", sourceLocation: sourceLocation)
        }
        let ledger = try await probe(.points).get("/ledger").json
        #expect(ledger["isBalanced"] == .bool(true), "\(ledger)", sourceLocation: sourceLocation)
    }
}
