import Database
import Events
import HTTP
import JSON
import ShopEvents
import Telemetry
import TestSupport
import Testing

@testable import Coupon

@Suite("Definitions over HTTP")
struct DefinitionAPITests {
    private static let ten = #"{"discount": {"percent": 10}, "limit": 3}"#

    @Test("A definition is new once, and put anew it is what was put last, all of it")
    func put() async throws {
        try await CouponWorld.with { world in
            let first = await world.send("PUT", "/coupons/definitions/TEN", body: Self.ten)
            #expect(first.status == 201)
            #expect(first.headers["Location"] == "/coupons/definitions/TEN")
            #expect(first.json["limitPerCustomer"] == 1)
            #expect(first.json["issued"] == 0)
            world.clock.advance(milliseconds: 1_000)
            let again = await world.send("PUT", "/coupons/definitions/TEN", body: Self.ten)
            #expect(again.status == 200)
            #expect(again.headers["Location"] == nil)
            #expect(again.body == first.body, "nothing has changed, not even the time")
            let body = #"""
                {"discount": {"amount": {"amount": 500, "currency": "EUR"}}, "minimum": {"amount": 2000, "currency": "EUR"},
                 "validFrom": "2026-01-01T09:00:00+09:00", "validUntil": "2026-02-01T00:00:00.5Z", "limitPerCustomer": 2}
                """#
            let changed = await world.send("PUT", "/coupons/definitions/TEN", body: body)
            #expect(changed.status == 200)
            #expect(changed.json["limit"] == nil, "what is left out is not limited")
            #expect(changed.json["discount", "amount", "amount"] == 500)
            #expect(changed.json["discount", "percent"] == nil)
            #expect(changed.json["validFrom"]?.text == "2026-01-01T00:00:00.000Z")
            #expect(changed.json["validUntil"]?.text == "2026-02-01T00:00:00.500Z")
            #expect(changed.json["updatedAt"]?.text == "2026-01-01T00:00:01.000Z")
            #expect(changed.json["createdAt"]?.text == "2026-01-01T00:00:00.000Z")
            #expect(await world.send("GET", "/coupons/definitions/TEN").body == changed.body)
            #expect(await world.send("GET", "/coupons/definitions/ELEVEN").status == 404)
        }
    }

    @Test("Bad input names each field")
    func faults() async throws {
        try await CouponWorld.with { world in
            func put(_ body: String, _ id: String = "TEN") async -> Set<String> {
                let answer = await world.send("PUT", "/coupons/definitions/\(id)", body: body)
                #expect(answer.status == 422)
                return Set(answer.faults)
            }
            let all = #"""
                {"discount": {"percent": 0, "tax": 1}, "minimum": {"amount": 0, "currency": "XXX", "x": 1}, "validFrom": "today",
                 "validUntil": 5, "limit": 0, "limitPerCustomer": 1001, "colour": "green"}
                """#
            let expected: Set = [
                "id", "discount.percent", "discount.tax", "minimum.amount", "minimum.currency", "minimum.x",
                "validFrom",
                "validUntil", "limit", "limitPerCustomer", "colour",
            ]
            #expect(await put(all, "a%20b") == expected)
            #expect(await put("{}") == ["discount"])
            #expect(await put(#"{"discount": {}}"#) == ["discount"])
            #expect(await put(#"{"discount": 10}"#) == ["discount"])
            let both = #"{"discount": {"percent": 1, "amount": {"amount": 1, "currency": "EUR"}}}"#
            #expect(await put(both) == ["discount"])
            let currencies = #"""
                {"discount": {"amount": {"amount": 1, "currency": "EUR"}}, "minimum": {"amount": 1, "currency": "KRW"}}
                """#
            #expect(await put(currencies) == ["minimum.currency"])
            let period = #"""
                {"discount": {"percent": 1}, "validFrom": "2026-01-01T00:00:00Z", "validUntil": "2026-01-01T09:00:00+09:00"}
                """#
            #expect(await put(period) == ["validUntil"])
            #expect(await world.send("GET", "/coupons/definitions").json["definitions"].elements.isEmpty)
            let claim = await world.send("POST", "/coupons/definitions/TEN/claims", key: "ä", body: "{}")
            #expect(claim.faults == ["Idempotency-Key"])
            let body = #"{"customer": "a\nb", "count": 2}"#
            let fields = await world.send("POST", "/coupons/definitions/TEN/claims", body: body).faults
            #expect(Set(fields) == ["customer", "count"])
            let query = [("limit", "0"), ("after", "x"), ("customer", ""), ("colour", "green")]
            let coupons = Set(await world.send("GET", "/coupons", query: query).faults)
            #expect(coupons == ["limit", "after", "customer", "colour"])
            let twice = [("limit", "1"), ("limit", "2"), ("customer", "ada"), ("after", "a b")]
            let definitions = Set(await world.send("GET", "/coupons/definitions", query: twice).faults)
            #expect(definitions == ["limit", "customer", "after"])
        }
    }

    @Test("A limit is never put below what is issued")
    func lowerLimit() async throws {
        try await CouponWorld.with { world in
            try await world.define("TEN", #", "limit": 3"#)
            for customer in ["ada", "bob"] { #expect(await world.claim("TEN", customer).status == 201) }
            let low = #"{"discount": {"percent": 10}, "limit": 1}"#
            let answer = await world.send("PUT", "/coupons/definitions/TEN", body: low)
            #expect(answer.status == 422)
            #expect(answer.faults == ["limit"])
            #expect(await world.send("GET", "/coupons/definitions/TEN").json["limit"] == 3)
            try await world.define("TEN", #", "limit": 2"#)
            #expect(await world.claim("TEN", "eve").problem == "coupons-gone")
            await #expect(throws: DatabaseError.self, "the table itself refuses it") {
                try await world.database.write { try $0.execute("UPDATE coupon_definitions SET total_limit = 1") }
            }
            await #expect(throws: DatabaseError.self) {
                try await world.database.write { try $0.execute("UPDATE coupon_definitions SET issued = 3") }
            }
        }
    }

    @Test("Customers may claim and see their own coupons, and nothing else")
    func roles() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            let ada = Caller(.customer, "ada")
            for route in CouponAPI.routes {
                let isOfDefinition = route.pattern.contains("definitions")
                let path = route.pattern.replacing("{id}", with: isOfDefinition ? "TEN" : coupon)
                let body = route.method == "POST" ? #"{"customer": "ada"}"# : nil
                let answer = await world.send(route.method, path, body: body, by: ada)
                let isOpen = !isOfDefinition || route.method == "POST"
                #expect(isOpen ? [200, 201].contains(answer.status) : answer.status == 403, "\(route.method) \(path)")
                #expect(isOpen || answer.problem == "role-not-allowed")
                #expect(await world.send(route.method, path, body: body, by: nil).status == 401)
                let isTaken = await world.send(route.method, path, body: body, by: Caller(.backEnd, "shop")).status
                #expect(route.method == "PUT" ? isTaken == 415 : [200, 201].contains(isTaken))
            }
        }
    }

    @Test("A listing comes in pages, each definition once, and says where the next one is")
    func pages() async throws {
        try await CouponWorld.with { world in
            for number in 10..<15 { try await world.define("TEN-\(number)") }
            var seen: [String] = []
            var query = [(name: "limit", value: "2")]
            for page in 1...3 {
                let answer = await world.send("GET", "/coupons/definitions", query: query)
                seen += answer.json["definitions"].elements.compactMap { $0["id"]?.text }
                guard let next = answer.json["next"]?.text else {
                    #expect(page == 3)
                    #expect(String(decoding: answer.body, as: UTF8.self).contains(#""next":null"#))
                    #expect(answer.headers["Link"] == nil)
                    break
                }
                query = [("limit", "2"), ("after", next)]
                #expect(answer.headers["Link"] == "</coupons/definitions?after=\(next)&limit=2>; rel=\"next\"")
            }
            #expect(seen == (10..<15).map { "TEN-\($0)" })
        }
    }
}

@Suite("Coupons over HTTP")
struct CouponAPITests {
    @Test("A claim issues a coupon, which is shown to its customer")
    func claim() async throws {
        try await CouponWorld.with { world in
            try await world.define("TEN", #", "validUntil": "2026-02-01T00:00:00Z""#)
            let answer = await world.claim("TEN")
            #expect(answer.status == 201)
            let id = try #require(answer.json["id"]?.text)
            #expect(answer.headers["Location"] == "/coupons/\(id)")
            #expect(answer.json["definition"]?.text == "TEN")
            #expect(answer.json["customer"]?.text == "ada")
            #expect(answer.json["state"]?.text == "issued")
            #expect(answer.json["discount", "percent"] == 10)
            #expect(answer.json["validUntil"]?.text == "2026-02-01T00:00:00.000Z")
            #expect(answer.json["orderID"] == nil)
            for caller in [Caller.local, Caller(.customer, "ada"), Caller(.backEnd, "shop")] {
                #expect(await world.send("GET", "/coupons/\(id)", by: caller).body == answer.body)
            }
            let foreign = await world.send("GET", "/coupons/\(id)", by: Caller(.customer, "bob"))
            #expect(foreign.status == 404)
            let none = await world.send("GET", "/coupons/0198c0de-0000-7000-8000-000000000009")
            #expect(foreign.body == none.body, "nobody learns of another's")
            #expect(await world.claim("ELEVEN").status == 404)
            try await world.place("o-1", id)
            let reserved = await world.send("GET", "/coupons/\(id)").json
            #expect(reserved["state"]?.text == "reserved")
            #expect(reserved["orderID"]?.text == "o-1")
        }
    }

    @Test("A customer claims for themselves alone")
    func claimForOthers() async throws {
        try await CouponWorld.with { world in
            try await world.define("TEN")
            let body = #"{"customer": "bob"}"#
            let answer = await world.send(
                "POST",
                "/coupons/definitions/TEN/claims",
                body: body,
                by: Caller(.customer, "ada")
            )
            #expect(answer.status == 403)
            #expect(await world.send("GET", "/coupons").json["coupons"].elements.isEmpty)
            let other = await world.send("GET", "/coupons", query: [("customer", "bob")], by: Caller(.customer, "ada"))
            #expect(other.status == 403)
        }
    }

    @Test("A customer has as many as one may have, and hears so whatever is left for others")
    func customerLimit() async throws {
        try await CouponWorld.with { world in
            try await world.define("TEN", #", "limit": 3, "limitPerCustomer": 2"#)
            for _ in 1...2 { #expect(await world.claim("TEN").status == 201) }
            #expect(await world.claim("TEN").problem == "coupon-limit-reached")
            #expect(await world.claim("TEN", "bob").status == 201)
            #expect(await world.claim("TEN", "bob").problem == "coupons-gone")
            #expect(await world.claim("TEN").problem == "coupon-limit-reached")
            try await world.define("TEN", #", "limit": 4, "limitPerCustomer": 1"#)
            #expect(await world.claim("TEN", "bob").problem == "coupon-limit-reached")
            #expect(await world.claim("TEN", "eve").status == 201)
        }
    }

    @Test("A used coupon counts: nobody gets another for it")
    func usedCounts() async throws {
        try await CouponWorld.with { world in
            try await world.define("TEN")
            let id = try #require(await world.claim("TEN").json["id"]?.text)
            try await world.place("o-1", id)
            try await world.confirm("o-1", id)
            #expect(await world.claim("TEN").problem == "coupon-limit-reached")
        }
    }

    @Test("Coupons may be claimed before their time, and not after it")
    func period() async throws {
        try await CouponWorld.with { world in
            try await world.define(
                "TEN",
                #", "limitPerCustomer": 9, "validFrom": "2026-01-02T00:00:00Z", "validUntil": "2026-01-03T00:00:00Z""#
            )
            #expect(await world.claim("TEN").status == 201)
            world.clock.advance(milliseconds: 2 * 86_400_000 - 1)
            #expect(await world.claim("TEN").status == 201)
            world.clock.advance(milliseconds: 1)
            let answer = await world.claim("TEN")
            #expect(answer.status == 409)
            #expect(answer.problem == "coupons-gone")
        }
    }

    @Test("A claim under a key is made once, and its answer comes again")
    func keys() async throws {
        try await CouponWorld.with { world in
            try await world.define("TEN", #", "limitPerCustomer": 9, "limit": 3"#)
            try await world.define("SIX", #", "limitPerCustomer": 9"#)
            let first = await world.claim("TEN", key: "k")
            #expect(first.status == 201)
            #expect(first.headers["Idempotency-Replayed"] == nil)
            try await world.place("o-1", try #require(first.json["id"]?.text))
            let again = await world.claim("TEN", key: "\"k\"")
            #expect(again.status == 201)
            #expect(again.body == first.body)
            #expect(again.headers["Location"] == first.headers["Location"])
            #expect(again.headers["Idempotency-Replayed"] == "true")
            for answer in [await world.claim("TEN", "bob", key: "k"), await world.claim("SIX", key: "k")] {
                #expect(answer.status == 422)
                #expect(answer.problem == "idempotency-key-reused")
                #expect(answer.faults == ["Idempotency-Key"])
            }
            let body = #"{"customer": "ada"}"#
            let path = "/coupons/definitions/TEN/claims"
            let own = await world.send("POST", path, key: "k", body: body, by: Caller(.customer, "ada"))
            #expect(own.status == 201, "another caller's key is another key")
            #expect(own.json["id"] != first.json["id"])
            #expect(await world.claim("TEN", "bob", key: "b").status == 201)
            #expect(await world.claim("TEN", "eve", key: "e").problem == "coupons-gone")
            #expect(await world.claim("TEN", key: "k").body == first.body, "none is left, and this one was there")
            try await world.define("TEN", #", "limit": 4"#)
            let late = await world.claim("TEN", "eve", key: "e")
            #expect(late.status == 201, "a refused claim is none: its key is free")
            #expect(late.headers["Idempotency-Replayed"] == nil)
        }
    }

    @Test("A listing has a customer's coupons, newest first, in pages")
    func pages() async throws {
        try await CouponWorld.with { world in
            try await world.define("TEN", #", "limitPerCustomer": 9"#)
            var claimed: [String] = []
            for _ in 1...5 {
                claimed.append(try #require(await world.claim("TEN", "ada b").json["id"]?.text))
                await world.claim("TEN", "bob")
            }
            let ada = Caller(.customer, "ada b")
            for (caller, isNamed) in [(Caller.local, true), (ada, true), (ada, false)] {
                let named = isNamed ? [(name: "customer", value: "ada b")] : []
                var seen: [String] = []
                var query = named + [("limit", "2")]
                for page in 1...3 {
                    let answer = await world.send("GET", "/coupons", query: query, by: caller)
                    seen += answer.json["coupons"].elements.compactMap { $0["id"]?.text }
                    guard let next = answer.json["next"]?.text else {
                        #expect(page == 3)
                        #expect(answer.headers["Link"] == nil)
                        break
                    }
                    query = named + [("limit", "2"), ("after", next)]
                    let same = isNamed ? "customer=ada%20b&" : ""
                    #expect(answer.headers["Link"] == "</coupons?\(same)after=\(next)&limit=2>; rel=\"next\"")
                }
                #expect(seen == claimed.reversed())
            }
            #expect(await world.send("GET", "/coupons").json["coupons"].elements.count == 10)
        }
    }
}
