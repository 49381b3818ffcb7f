import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("A shop with Inventory")
    struct Inventory {
        private func open(
            _ environment: [Shop.Program: [String: String]] = [:],
            stock: Int64,
            _ body: (Shop) async throws -> Void
        ) async throws {
            var options = Shop.Options()
            options.contexts = [.inventory]
            options.environment = environment
            try await Shop.open(options) { shop in
                try await shop.list(price: 1250)
                if stock > 0 { try await shop.stock(stock) }
                try await shop.waitForPrice(1250)
                try await body(shop)
            }
        }

        @Test("reserves, charges, confirms and takes, in that order; the price is the shop's and of its moment")
        func confirmed() async throws {
            try await open(stock: 5) { shop in
                let id = try await shop.buy(2)
                let order = try await shop.waitFor("confirmed", order: id)
                #expect(order["total"]["amount"].integer == 2500)
                #expect(order["lines"].elements.first?["name"].text == "Green tea")
                try await shop.waitForStock("confirmed", order: id)
                let history = try await shop.order(id)["history"].elements.compactMap { $0["event"].text }
                #expect(
                    history == [
                        "dev.warren.order.placed", "dev.warren.stock.reserved", "dev.warren.payment.captured",
                        "dev.warren.stock.confirmed",
                    ]
                )
                #expect(try await shop.books() == "3 on hand, 0 reserved")
                try await shop.waitForMail("confirmed", about: id)

                try await shop.list(price: 1300)
                try await shop.waitForPrice(1300)
                #expect(try await shop.order(id)["total"]["amount"].integer == 2500)
                let reply = try await shop.probe(.order).post("/orders", Shop.order())
                #expect(reply.status == 409, "\(reply.text)")
                #expect(try reply.json["errors"].elements.first?["detail"].text == "is 1300 now")

                try await shop.cancel(id)
                try await shop.waitForPayment("refunded", order: id)
                try await shop.waitForStock("released", order: id)
                #expect(try await shop.books() == "5 on hand, 0 reserved")
                try await shop.expectNothingIsDead()
            }
        }

        @Test("gives the last piece to one of two customers: the other waits for it, then is refused and told why")
        func lastPiece() async throws {
            try await open([.inventory: ["INVENTORY_WAIT": "1s"]], stock: 1) { shop in
                // The provider takes its time with the first one, so that the piece is promised and not yet taken.
                try await shop.plan("unavailable", count: 4)
                let first = try await shop.buy(1)
                try await shop.waitForStock("reserved", order: first)
                let second = try await shop.buy(1)
                let refused = try await shop.waitFor("rejected", order: second)
                #expect(refused["stockStatus"].text == "rejected")
                #expect(try await shop.charges(of: second) == 0)
                try await shop.waitFor("confirmed", order: first)
                try await shop.waitForStock("confirmed", order: first)
                let mail = try await shop.waitForMail("could not be accepted", about: second)
                #expect(mail.snippet.contains("there is not enough of what you ordered left"))
                #expect(try await shop.books() == "0 on hand, 0 reserved")
                try await shop.expectNothingIsDead()
            }
        }

        @Test("gives it to the one who waits where the first one cannot pay")
        func secondChance() async throws {
            try await open(stock: 1) { shop in
                try await shop.plan("unavailable", count: 4)
                let first = try await shop.buy(1, paying: "pm_card_chargeDeclined")
                try await shop.waitForStock("reserved", order: first)
                let second = try await shop.buy(1)
                try await shop.waitFor("rejected", order: first)
                try await shop.waitFor("confirmed", order: second)
                try await shop.waitForStock("confirmed", order: second)
                #expect(try await shop.books() == "0 on hand, 0 reserved")
                try await shop.expectNothingIsDead()
            }
        }

        @Test("takes orders while Inventory is away, at the prices it last heard, and carries them out when it is back")
        func away() async throws {
            try await open(stock: 5) { shop in
                try await shop.kill(.inventory)
                let ids = [try await shop.buy(1), try await shop.buy(1)]
                try await shop.cancel(ids[1])
                let problem = try await eventually("Order says that the feed has no answer") {
                    let checks = try await shop.probe(.order).get("/readyz?verbose").text
                    return checks.split(separator: "\n").first { $0.hasPrefix("[!] feed.inventory") }
                }
                #expect(try await shop.probe(.order).get("/readyz").status == 200, "\(problem)")
                #expect(try await shop.order(ids[0])["stockStatus"].text == "requested")
                try await shop.restart(.inventory)
                try await shop.waitFor("confirmed", order: ids[0])
                try await shop.waitForStock("confirmed", order: ids[0])
                try await shop.waitForStock("released", order: ids[1])
                #expect(try await shop.charges(of: ids[1]) == 0)
                #expect(try await shop.books() == "4 on hand, 0 reserved")
                try await shop.expectNothingIsDead()
            }
        }

        @Test("leaves no order open where Inventory stays away, and no piece reserved when it comes back")
        func overdue() async throws {
            try await open([.order: ["ORDER_DEADLINE": "2s"]], stock: 5) { shop in
                try await shop.kill(.inventory)
                let id = try await shop.buy(1)
                try await shop.waitFor("rejected", order: id)
                let mail = try await shop.waitForMail("could not be accepted", about: id)
                #expect(mail.snippet.contains("it took too long"))
                try await shop.restart(.inventory)
                try await shop.waitForStock("released", order: id)
                #expect(try await shop.books() == "5 on hand, 0 reserved")
                #expect(try await shop.charges(of: id) == 0)
                try await shop.expectNothingIsDead()
            }
        }

        @Test("gives back what was charged where the reservation ran out while the provider was silent")
        func expired() async throws {
            try await open([.inventory: ["INVENTORY_RESERVATION": "1s"]], stock: 1) { shop in
                try await shop.plan("timeout", count: 3, delay: 3000)
                let id = try await shop.buy(1)
                try await shop.waitFor("rejected", order: id)
                try await shop.waitForStock("released", order: id)
                _ = try await eventually("the payment of \(id) has ended", within: .seconds(90)) {
                    let payment = try await shop.order(id)["payment"]["status"].text ?? ""
                    return ["voided", "refunded", "declined"].contains(payment) ? true : nil
                }
                #expect(try await shop.charges(of: id) == shop.refunds(of: id))
                #expect(try await shop.books() == "1 on hand, 0 reserved")
                try await shop.expectNothingIsDead()
            }
        }

        @Test("loses and makes no piece and no cent while its services are killed")
        func kills() async throws {
            try await open(stock: 25) { shop in
                var ids: [String] = []
                for round in 1...4 {
                    for _ in 1...10 { ids.append(try await shop.buy(1)) }
                    let victim = round.isMultiple(of: 2) ? Shop.Program.order : .inventory
                    try await shop.kill(victim)
                    try await shop.restart(victim)
                }
                try await shop.cancel(ids[0])
                var outcomes: [String: Int] = [:]
                for id in ids {
                    let order = try await eventually("order \(id) is decided", within: .seconds(120)) {
                        let order = try await shop.order(id)
                        return order["status"].text == "placed" ? nil : order
                    }
                    outcomes[order["status"].text ?? "", default: 0] += 1
                }
                let confirmed = outcomes["confirmed"] ?? 0
                #expect(outcomes["cancelled"] == 1)
                #expect(confirmed >= 24, "\(outcomes)")
                _ = try await eventually("the books are closed", within: .seconds(90)) {
                    try await shop.books() == "\(25 - confirmed) on hand, 0 reserved" ? true : nil
                }
                try await shop.waitForPayment("refunded", order: ids[0])
                let ledger = try await shop.ledger()
                for id in ids {
                    let (charges, refunds) = (
                        ledger["chargesByOrder"][id].integer ?? 0, ledger["refundsByOrder"][id].integer ?? 0
                    )
                    let status = try await shop.order(id)["status"].text
                    #expect(charges - refunds == (status == "confirmed" ? 1 : 0), "\(id) is \(status ?? "")")
                    #expect(charges <= 1)
                }
                let movements = try await shop.query(.inventory, "SELECT SUM(change) FROM stock_movements")
                #expect(movements.first?.elements.first?.integer == Int64(25 - confirmed))
                try await shop.expectNothingIsDead()
            }
        }

        @Test("says that Inventory is back from an older backup, and goes on where an operator sets it")
        func backup() async throws {
            try await open(stock: 5) { shop in
                let files = ["", "-wal", "-shm"].map { shop.database(.inventory).path + $0 }
                try await shop.kill(.inventory)
                for file in files where FileManager.default.fileExists(atPath: file) {
                    try FileManager.default.copyItem(atPath: file, toPath: file + ".backup")
                }
                try await shop.restart(.inventory)
                for price: Int64 in [1300, 1400, 1500] { try await shop.list(price: price) }
                try await shop.waitForPrice(1500)
                try await shop.kill(.inventory)
                for file in files {
                    try? FileManager.default.removeItem(atPath: file)
                    guard FileManager.default.fileExists(atPath: file + ".backup") else { continue }
                    try FileManager.default.copyItem(atPath: file + ".backup", toPath: file)
                }
                try await shop.restart(.inventory)
                let problem = try await eventually("Order says that the feed is ahead", within: .seconds(60)) {
                    let checks = try await shop.probe(.order).get("/readyz?verbose").text
                    return checks.split(separator: "\n").first { $0.contains("restored from an older copy") }
                }
                #expect(problem.hasPrefix("[-] feed.inventory") && problem.contains("warren feeds restart"))
                try await shop.list(price: 1600)
                let words = ["feeds", "restart", "order", "inventory", "--after", "0", "--reason", "a backup is back"]
                let set = try await shop.warren(words)
                #expect(set.end == .exit(0), "\(set)")
                try await shop.waitForPrice(1600)
                #expect(try await shop.probe(.order).get("/readyz").status == 200)
                try await shop.expectNothingIsDead()
            }
        }

        @Test("draws its picture of products anew where Order has lost it with its database")
        func picture() async throws {
            try await open(stock: 5) { shop in
                try await shop.list(price: 1300)
                try await shop.kill(.order)
                for end in ["", "-wal", "-shm"] {
                    try? FileManager.default.removeItem(atPath: shop.database(.order).path + end)
                }
                try await shop.restart(.order)
                try await shop.waitForPrice(1300)
            }
        }
    }
}

extension Shop {
    /// Lists the product of all these orders.
    func list(price: Int64) async throws {
        let body: JSONValue = ["name": "Green tea", "price": ["amount": .integer(price), "currency": "EUR"]]
        let reply = try await probe(.inventory).send(
            "PUT",
            "/products/tea-500",
            headers: ["Content-Type": "application/json"],
            body: body.bytes
        )
        guard [200, 201].contains(reply.status) else { throw TimedOut("PUT answered \(reply.status): \(reply.text)") }
    }

    /// Brings in pieces of it.
    func stock(_ change: Int64) async throws {
        let reply = try await probe(.inventory).post("/products/tea-500/stock", ["change": .integer(change)])
        guard reply.status == 200 else { throw TimedOut("the stock answered \(reply.status): \(reply.text)") }
    }

    /// Waits until Order sells at that price.
    func waitForPrice(_ price: Int64) async throws {
        _ = try await eventually("Order has heard of the price \(price)", within: .seconds(60)) {
            try await self.query(.order, "SELECT amount FROM products").first?.elements.first?.integer == price
                ? true : nil
        }
    }

    /// Places an order without a price and gives its id.
    fileprivate func buy(_ quantity: Int64, paying method: String = "pm_card_visa") async throws -> String {
        let reply = try await probe(.order).post(
            "/orders",
            [
                "customer": ["email": "ada@example.com", "name": "Ada Lovelace"], "currency": "EUR",
                "lines": [["sku": "tea-500", "quantity": .integer(quantity)]], "paymentMethod": .string(method),
            ]
        )
        guard reply.status == 202, let id = try reply.json["id"].text else {
            throw TimedOut("POST /orders answered \(reply.status): \(reply.text)")
        }
        return id
    }

    /// Waits until Inventory has done that for the order.
    func waitForStock(_ status: String, order id: String) async throws {
        _ = try await eventually("the stock of order \(id) is \(status)", within: .seconds(90)) {
            try await self.order(id)["stockStatus"].text == status ? true : nil
        }
    }

    /// How many pieces of it there are.
    func books() async throws -> String {
        let product = try await probe(.inventory).get("/products/tea-500").json
        return "\(product["onHand"].integer ?? -1) on hand, \(product["reserved"].integer ?? -1) reserved"
    }

    fileprivate func expectNothingIsDead(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        for program in [Program.order, .payment, .notification, .inventory] {
            let dead = try await deliveries(program, "dead")
            #expect(dead.isEmpty, "\(program.rawValue): \(dead)", sourceLocation: sourceLocation)
        }
    }
}
