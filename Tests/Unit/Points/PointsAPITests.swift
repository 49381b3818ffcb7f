import Database
import Events
import HTTP
import JSON
import Messaging
import MessagingTestKit
import ServiceKit
import ShopEvents
import TestSupport
import Testing

@testable import Points

@Suite("Accounts and charges over HTTP")
struct PointsAPITests {
    static let ten = #"{"total": {"amount": 1000, "currency": "EUR"}, "paymentMethod": "pm_card_visa"}"#
    static let ada = Caller(.customer, "ada")
    static let shop = Caller(.backEnd, "shop")

    @Test("A charge is asked for, and is shown where it stands")
    func charge() async throws {
        try await PointsWorld.with { world in
            let answer = await world.send("POST", "/accounts/ada/charges", body: Self.ten, by: Self.ada)
            #expect(answer.status == 202)
            let id = try #require(answer.json["id"]?.text)
            #expect(id.hasPrefix("pts_") && id.utf8.count == 40, "no order has such an id")
            #expect(answer.headers["Location"] == "/accounts/ada/charges/\(id)")
            #expect(answer.json["state"]?.text == "requested")
            try await world.service.settle()
            let asked = PointsChargeRequested(
                chargeID: id,
                total: Money(amount: 1_000, currency: "EUR"),
                paymentMethod: "pm_card_visa"
            )
            #expect(try await world.service.published(PointsChargeRequested.self) == [asked])
            #expect(try await world.balance() == 0, "nothing is given before it is paid")
            world.clock.advance(milliseconds: 1_000)
            try await world.captured(id, 1_000)
            let shown = await world.send("GET", "/accounts/ada/charges/\(id)", by: Self.ada).json
            #expect(shown["state"]?.text == "bought")
            #expect(shown["updatedAt"]?.text == "2026-01-01T00:00:01.000Z")
            let account = await world.send("GET", "/accounts/ada", by: Self.ada).json
            #expect(account["customer"]?.text == "ada")
            #expect(account["balances"][0]["currency"]?.text == "EUR")
            #expect(account["balances"][0]["points"]?.integer == 1_000)
            let refused = try await world.charge(5)
            try await world.declined(refused)
            let declined = await world.send("GET", "/accounts/ada/charges/\(refused)").json
            #expect(declined["state"]?.text == "declined")
            #expect(declined["reason"]?.text == "card_declined")
        }
    }

    @Test("Under one key a charge is asked for once, also at once")
    func idempotency() async throws {
        try await PointsWorld.with { world in
            let answers = await withTaskGroup(of: HTTPResponse.self) { group in
                for _ in 1...20 {
                    group.addTask {
                        await world.send("POST", "/accounts/ada/charges", key: "k-1", body: Self.ten, by: Self.ada)
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.status) == Array(repeating: 202, count: 20))
            #expect(Set(answers.map { $0.json["id"]?.text }).count == 1)
            #expect(answers.filter { $0.headers["Idempotency-Replayed"] == "true" }.count == 19)
            let id = try #require(answers[0].json["id"]?.text)
            try await world.captured(id, 1_000)
            let late = await world.send("POST", "/accounts/ada/charges", key: "\"k-1\"", body: Self.ten, by: Self.ada)
            #expect(late.body == answers[0].body, "the first answer comes again, whatever has become of it")
            #expect(late.headers["Location"] == "/accounts/ada/charges/\(id)")
            #expect(try await world.service.published(PointsChargeRequested.self).count == 1)
        }
    }

    @Test("A key belongs to its caller, its account and its body")
    func keys() async throws {
        try await PointsWorld.with { world in
            await world.send("POST", "/accounts/ada/charges", key: "k-1", body: Self.ten, by: Self.shop)
            let more = Self.ten.replacing("1000", with: "1001")
            let otherBody = await world.send("POST", "/accounts/ada/charges", key: "k-1", body: more, by: Self.shop)
            #expect(otherBody.status == 422)
            #expect(otherBody.problem == "idempotency-key-reused")
            let otherAccount = await world.send(
                "POST",
                "/accounts/bob/charges",
                key: "k-1",
                body: Self.ten,
                by: Self.shop
            )
            #expect(otherAccount.problem == "idempotency-key-reused")
            let theirs = await world.send("POST", "/accounts/ada/charges", key: "k-1", body: Self.ten, by: Self.ada)
            #expect(theirs.status == 202)
            #expect(theirs.headers["Idempotency-Replayed"] == nil)
            try await world.service.settle()
            #expect(try await world.service.published(PointsChargeRequested.self).count == 2)
        }
    }

    @Test("Customers see and charge their own account alone; back ends all of them; nobody without a name")
    func callers() async throws {
        try await PointsWorld.with { world in
            let id = try await world.buy(500, for: "bob")
            let paths = ["/accounts/bob", "/accounts/bob/entries", "/accounts/bob/charges/\(id)"]
            for path in paths {
                #expect(await world.send("GET", path, by: Self.ada).status == 404, "\(path)")
                #expect(await world.send("GET", path, by: Self.shop).status == 200, "\(path)")
                #expect(await world.send("GET", path, by: Caller(.customer, "bob")).status == 200, "\(path)")
                #expect(await world.send("GET", path, by: Caller(.operator, "eve")).status == 200, "\(path)")
                #expect(await world.send("GET", path, by: nil).status == 401, "\(path)")
            }
            #expect(await world.send("POST", "/accounts/bob/charges", body: Self.ten, by: Self.ada).status == 404)
            #expect(await world.send("GET", "/accounts/ada/charges/\(id)", by: Self.ada).status == 404)
            #expect(await world.send("GET", "/accounts/ada/charges/\(id)", by: Self.shop).status == 404)
            let ledger = await world.send("GET", "/ledger", by: Self.ada)
            #expect(ledger.status == 403)
            #expect(ledger.problem == "role-not-allowed")
            #expect(try await world.service.published(PointsChargeRequested.self).count == 1)
        }
    }

    @Test("Bad input names each field, and nothing is charged")
    func faults() async throws {
        try await PointsWorld.with { world in
            let body = #"{"total": {"amount": 0, "currency": "XXX", "tax": 1}, "paymentMethod": "a b", "note": "n"}"#
            let charge = await world.send("POST", "/accounts/ada/charges", body: body)
            #expect(charge.status == 422)
            #expect(Set(charge.faults) == ["total.amount", "total.currency", "total.tax", "paymentMethod", "note"])
            #expect(
                Set(await world.send("POST", "/accounts/ada/charges", body: "{}").faults) == ["total", "paymentMethod"]
            )
            let amounts = [
                (#"1001, "currency": "KWD""#, 422), (#"1010, "currency": "KWD""#, 202),
                (#"99999999999, "currency": "ISK""#, 422), (#"1, "currency": "GHS""#, 422),
            ]
            for (amount, status) in amounts {
                let body = #"{"total": {"amount": \#(amount)}, "paymentMethod": "pm"}"#
                #expect(await world.send("POST", "/accounts/ada/charges", body: body).status == status, "\(amount)")
            }
            let key = await world.send("POST", "/accounts/ada/charges", key: "a b", body: Self.ten)
            #expect(key.faults == ["Idempotency-Key"])
            let long = String(repeating: "a", count: 256)
            #expect(await world.send("GET", "/accounts/\(long)").faults == ["customer"])
            #expect(await world.send("GET", "/accounts/a\nb").faults == ["customer"])
            let query = [("after", "x"), ("limit", "0"), ("currency", "eur"), ("order", "o"), ("limit", "5")]
            let page = await world.send("GET", "/accounts/ada/entries", query: query.map { (name: $0, value: $1) })
            #expect(Set(page.faults) == ["after", "limit", "currency", "order"])
            #expect(await world.send("GET", "/accounts/ada", query: [(name: "x", value: "1")]).status == 422)
            #expect(await world.send("GET", "/ledger", query: [(name: "x", value: "1")]).status == 422)
            try await world.service.settle()
            #expect(try await world.service.published(PointsChargeRequested.self).count == 1)
        }
    }

    @Test("An account that never had points is empty; one with another's letters is another's")
    func empty() async throws {
        try await PointsWorld.with { world in
            let answer = await world.send("GET", "/accounts/nobody")
            #expect(answer.status == 200)
            #expect(answer.json["balances"].elements.isEmpty)
            let strange = "auth0|Ä 7"
            let who = Caller(.customer, strange)
            let charge = await world.send("POST", "/accounts/\(strange)/charges", body: Self.ten, by: who)
            #expect(charge.status == 202)
            #expect(charge.headers["Location"]?.hasPrefix("/accounts/auth0%7C%C3%84%207/charges/pts_") == true)
            #expect(charge.json["customer"]?.text == strange)
            let id = charge.json["id"]?.text ?? ""
            #expect(await world.send("GET", "/accounts/\(strange)/charges/\(id)", by: who).status == 200)
        }
    }

    @Test("The history comes by pages, newest first, of all currencies or of one")
    func history() async throws {
        try await PointsWorld.with { world in
            let first = try await world.buy(1_000)
            try await world.buy(7, for: "bob")
            try await world.buy(300, currency: "KRW")
            world.clock.advance(milliseconds: 5_000)
            for step in [.accepted, .confirmed, .cancelled] as [PointsWorld.OrderStep] { try await world.tell(step) }
            try await world.refunded(first, 1_000)
            let all = await world.send("GET", "/accounts/ada/entries", query: [(name: "limit", value: "100")])
            let lines = all.json["entries"].elements.map { entry in
                let reference = entry["orderID"]?.text ?? (entry["chargeID"]?.text == first ? "first" : "other")
                let numbers = "\(entry["points"]?.integer ?? 0) \(entry["balance"]?.integer ?? -1)"
                return "\(entry["kind"]?.text ?? "") \(numbers) \(entry["currency"]?.text ?? "") \(reference)"
            }
            let expected = [
                "refunded -1000 0 EUR first", "taken-back -42 1000 EUR o-1", "restored 800 1042 EUR o-1",
                "earned 42 242 EUR o-1", "spent -800 200 EUR o-1", "bought 300 300 KRW other",
                "bought 1000 1000 EUR first",
            ]
            #expect(lines == expected)
            #expect(String(decoding: all.body, as: UTF8.self).contains(#""next":null"#))
            #expect(all.headers["Link"] == nil)
            #expect(all.json["entries"][0]["at"]?.text == "2026-01-01T00:00:05.000Z")
            var seen: [JSONValue] = []
            var query = [(name: "currency", value: "EUR"), (name: "limit", value: "2")]
            var pages = 0
            while true {
                let page = await world.send("GET", "/accounts/ada/entries", query: query)
                seen += page.json["entries"].elements
                pages += 1
                guard let next = page.json["next"]?.text else { break }
                #expect(
                    page.headers["Link"]
                        == "</accounts/ada/entries?currency=EUR&after=\(next)&limit=2>; rel=\"next\""
                )
                query = [(name: "currency", value: "EUR"), (name: "limit", value: "2"), (name: "after", value: next)]
            }
            #expect(pages == 3)
            #expect(seen == all.json["entries"].elements.filter { $0["currency"]?.text == "EUR" })
        }
    }

    @Test("The ledger says what it comes to, and what does not agree")
    func ledger() async throws {
        try await PointsWorld.with { world in
            let empty = await world.send("GET", "/ledger").json
            #expect(empty == ["isBalanced": true, "currencies": [], "faults": []])
            try await world.buy(1_000)
            for step in [.accepted, .confirmed] as [PointsWorld.OrderStep] { try await world.tell(step) }
            let books: JSONValue = [
                "currency": "EUR", "customers": 242, "sold": -1_000, "earned": -42, "spent": 800, "writtenOff": 0,
            ]
            let well = await world.send("GET", "/ledger", by: Self.shop).json
            #expect(well == ["isBalanced": true, "currencies": [books], "faults": []])
            let change = "UPDATE balances SET points = points + $1"
            try await world.service.events.write { try $0.execute(change, 1) }
            let broken = await world.send("GET", "/ledger").json
            #expect(broken["isBalanced"] == false)
            #expect(broken["faults"][0]?.text == "the balance of ada in EUR is another sum")
            try await world.service.events.write { try $0.execute(change, -1) }
        }
    }
}
