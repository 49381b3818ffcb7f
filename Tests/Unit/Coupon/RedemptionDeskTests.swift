import Database
import Events
import HTTP
import JSON
import ShopEvents
import Telemetry
import Testing

@testable import Coupon

@Suite("Coupons and orders, and whatever comes in whatever order")
struct RedemptionDeskTests {
    @Test("Placed, confirmed: the coupon is used, and what it takes off is said")
    func redeem() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            #expect(try await world.standing(of: coupon) == "reserved o-1")
            let event = try CouponRedeemed(decodingData: try #require(try await world.stored().last).data)
            let expected = CouponRedeemed(
                orderID: "o-1",
                coupon: coupon,
                discount: Money(amount: 130, currency: "EUR"),
                expiresAt: "2026-01-01T01:00:00.000Z"
            )
            #expect(event == expected)
            for _ in 1...2 { try await world.confirm("o-1", coupon) }
            #expect(try await world.standing(of: coupon) == "used o-1")
            #expect(try await world.said(of: "o-1") == ["redeemed 130", "confirmed"])
        }
    }

    @Test("An order without a coupon leaves no trace, whatever becomes of it")
    func noCoupon() async throws {
        try await CouponWorld.with { world in
            try await world.place("o-1", nil)
            try await world.confirm("o-1", nil)
            try await world.cancel("o-1", nil)
            try await world.cancel("o-2", nil)
            try await world.reject("o-3", nil)
            for order in ["o-1", "o-2", "o-3"] { #expect(try await world.state(order) == nil) }
            #expect(try await world.stored().isEmpty)
            #expect(world.logs.messages.isEmpty)
        }
    }

    @Test("A coupon that cannot be had is refused with the reason, and stays its customer's")
    func refusals() async throws {
        try await CouponWorld.with { world in
            let minimum = #", "minimum": {"amount": 1301, "currency": "EUR"}"#
            try await world.define("BIG", minimum)
            try await world.define("WON", discount: #"{"amount": {"amount": 500, "currency": "KRW"}}"#)
            try await world.define("SOON", #", "validFrom": "2026-01-01T00:00:00.001Z""#)
            try await world.define("OVER", #", "validUntil": "2026-01-01T00:00:01Z""#)
            try await world.define("TEN")
            var coupons: [String: String] = [:]
            for definition in ["BIG", "WON", "SOON", "OVER", "TEN"] {
                coupons[definition] = try #require(await world.claim(definition).json["id"]?.text)
            }
            func reason(_ definition: String, by customer: String? = "ada") async throws -> String? {
                let order = UUIDv7.make()
                try await world.place(order, coupons[definition] ?? definition, by: customer)
                #expect(try await world.state(order) == .rejected)
                return try await world.said(of: order).last
            }
            #expect(try await reason("BIG") == "rejected coupon-below-minimum")
            #expect(try await reason("WON") == "rejected coupon-other-currency")
            #expect(try await reason("SOON") == "rejected coupon-not-valid")
            world.clock.advance(milliseconds: 1_000)
            #expect(try await reason("OVER") == "rejected coupon-not-valid")
            #expect(try await reason("NONE") == "rejected unknown-coupon")
            #expect(try await reason("TEN", by: "bob") == "rejected unknown-coupon")
            #expect(try await reason("TEN", by: nil) == "rejected unknown-coupon")
            try await world.place("o-1", coupons["TEN"])
            try await world.confirm("o-1", coupons["TEN"])
            #expect(try await reason("TEN") == "rejected coupon-used")
            for (definition, coupon) in coupons where definition != "TEN" {
                #expect(try await world.standing(of: coupon) == "issued")
            }
            try await world.place("o-2", coupons["SOON"])
            #expect(try await world.said(of: "o-2") == ["redeemed 130"], "its time has come")
        }
    }

    @Test("A changed definition is what later orders get; what is redeemed keeps its discount")
    func changedDefinition() async throws {
        try await CouponWorld.with { world in
            let first = try await world.issue()
            let second = try await world.issue()
            try await world.place("o-1", first)
            try await world.define("TEN", #", "limitPerCustomer": 2"#, discount: #"{"percent": 20}"#)
            try await world.place("o-2", second)
            try await world.define("TEN", #", "validUntil": "2026-01-01T00:00:00Z""#)
            try await world.confirm("o-1", first)
            try await world.confirm("o-2", second)
            #expect(try await world.said(of: "o-1") == ["redeemed 130", "confirmed"])
            #expect(try await world.said(of: "o-2") == ["redeemed 260", "confirmed"])
        }
    }

    // MARK: Pairs that can cross

    @Test("Placed, then cancelled or rejected: the coupon is its customer's again, once")
    func placeCancel() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            for _ in 1...2 { try await world.cancel("o-1", coupon) }
            try await world.place("o-1", coupon)
            #expect(try await world.said(of: "o-1") == ["redeemed 130", "released order-ended"])
            #expect(try await world.standing(of: coupon) == "issued")
            try await world.place("o-2", coupon)
            try await world.reject("o-2", coupon)
            #expect(try await world.said(of: "o-2") == ["redeemed 130", "released order-ended"])
            #expect(try await world.standing(of: coupon) == "issued")
        }
    }

    @Test("Cancelled or rejected, then placed: the order that comes late is refused, however often")
    func cancelPlace() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.cancel("o-1", coupon)
            try await world.reject("o-2", coupon)
            for order in ["o-1", "o-2"] {
                #expect(try await world.state(order) == .released)
                #expect(try await world.said(of: order).isEmpty)
                for _ in 1...2 { try await world.place(order, coupon) }
                try await world.confirm(order, coupon)
                let refusals = Array(repeating: "rejected order-ended", count: 2)
                #expect(try await world.said(of: order) == refusals)
            }
            #expect(try await world.standing(of: coupon) == "issued")
        }
    }

    @Test("Expired, then confirmed: used if no other order has it, with the discount that was promised")
    func expireConfirm() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            let expiry = try await world.timeout("redemption-expiry:o-1")
            for _ in 1...2 { try await world.fire(expiry) }
            #expect(try await world.standing(of: coupon) == "issued")
            try await world.define("TEN", #", "limitPerCustomer": 9, "validUntil": "2026-01-01T00:00:00Z""#)
            try await world.confirm("o-1", coupon)
            #expect(try await world.said(of: "o-1") == ["redeemed 130", "released expired", "confirmed"])
            #expect(try await world.standing(of: coupon) == "used o-1")
        }
    }

    @Test("Expired, then confirmed: refused when another order has it now, reserved or used", arguments: [false, true])
    func expireConfirmGone(isUsed: Bool) async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.fire(try await world.timeout("redemption-expiry:o-1"))
            try await world.place("o-2", coupon)
            if isUsed { try await world.confirm("o-2", coupon) }
            for _ in 1...2 { try await world.confirm("o-1", coupon) }
            let expected = ["redeemed 130", "released expired", "rejected redemption-expired"]
            #expect(try await world.said(of: "o-1") == expected)
            try await world.cancel("o-1", coupon)
            #expect(try await world.said(of: "o-1").count == 3, "the cancel that Order answers with undoes nothing")
            #expect(try await world.standing(of: coupon) == (isUsed ? "used o-2" : "reserved o-2"))
        }
    }

    @Test("Confirmed, then expired: the timeout does nothing")
    func confirmExpire() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            let expiry = try await world.timeout("redemption-expiry:o-1")
            try await world.confirm("o-1", coupon)
            #expect(try await world.timeouts().isEmpty)
            try await world.fire(expiry)
            try await world.fireAllTheSame(expiry)
            #expect(try await world.said(of: "o-1") == ["redeemed 130", "confirmed"])
            #expect(try await world.standing(of: coupon) == "used o-1")
        }
    }

    @Test("Confirmed, then cancelled: issued again, once, and another order may use it")
    func confirmCancel() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.confirm("o-1", coupon)
            try await world.cancel("o-1", coupon)
            #expect(try await world.standing(of: coupon) == "issued")
            try await world.place("o-2", coupon)
            try await world.cancel("o-1", coupon)
            #expect(
                try await world.standing(of: coupon) == "reserved o-2",
                "what is another's by now is not given back"
            )
            #expect(try await world.said(of: "o-1") == ["redeemed 130", "confirmed", "released order-ended"])
        }
    }

    @Test("Cancelled, then confirmed: it stays cancelled, with a warning")
    func cancelConfirm() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.cancel("o-1", coupon)
            try await world.confirm("o-1", coupon)
            #expect(try await world.said(of: "o-1") == ["redeemed 130", "released order-ended"])
            #expect(try await world.standing(of: coupon) == "issued")
            #expect(world.logs.messages.contains("A confirmed order has no coupon"))
        }
    }

    @Test("Expired, then cancelled; cancelled, then expired: nothing is given back twice")
    func expireCancel() async throws {
        try await CouponWorld.with { world in
            let first = try await world.issue()
            let second = try await world.issue()
            try await world.place("o-1", first)
            try await world.place("o-2", second)
            try await world.fire(try await world.timeout("redemption-expiry:o-1"))
            try await world.place("o-3", first)
            try await world.cancel("o-1", first)
            let late = try await world.timeout("redemption-expiry:o-2")
            try await world.cancel("o-2", second)
            try await world.place("o-4", second)
            try await world.fire(late)
            try await world.fireAllTheSame(late)
            #expect(try await world.said(of: "o-1") == ["redeemed 130", "released expired"])
            #expect(try await world.said(of: "o-2") == ["redeemed 130", "released order-ended"])
            #expect(try await world.standing(of: first) == "reserved o-3")
            #expect(try await world.standing(of: second) == "reserved o-4")
        }
    }

    // MARK: The lock

    @Test("Two orders want one coupon: one gets it, the other waits and gets it when it is given back")
    func freed() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.place("o-2", coupon, total: Money(amount: 2_000, currency: "EUR"))
            #expect(try await world.said(of: "o-2").isEmpty, "the first may give it back: nothing is said yet")
            let wait = try #require(try await world.timeout("redemption-wait:o-2"))
            world.clock.advance(milliseconds: 20_000)
            try await world.cancel("o-1", coupon)
            #expect(try await world.said(of: "o-2") == ["redeemed 200"])
            let event = try CouponRedeemed(decodingData: try #require(try await world.stored().last).data)
            #expect(event.expiresAt == "2026-01-01T01:00:20.000Z", "it is kept from when it is held")
            #expect(try await world.standing(of: coupon) == "reserved o-2")
            try await world.fire(wait)
            try await world.fireAllTheSame(wait)
            #expect(try await world.said(of: "o-2") == ["redeemed 200"], "the wait had ended")
            try await world.confirm("o-2", coupon)
            #expect(try await world.standing(of: coupon) == "used o-2")
        }
    }

    @Test("Two orders want one coupon: the other is refused when it has waited long enough, and gets nothing later")
    func locked() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.place("o-2", coupon)
            let wait = try await world.timeout("redemption-wait:o-2")
            for _ in 1...2 { try await world.fire(wait) }
            #expect(try await world.said(of: "o-2") == ["rejected coupon-locked"])
            try await world.cancel("o-1", coupon)
            #expect(try await world.said(of: "o-2").count == 1)
            #expect(try await world.standing(of: coupon) == "issued")
            try await world.reject("o-2", coupon)
            #expect(try await world.said(of: "o-2").count == 1, "Order's answer undoes nothing")
        }
    }

    @Test("Two orders want one coupon: the other is refused at once when it is used")
    func used() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.place("o-2", coupon)
            try await world.confirm("o-1", coupon)
            #expect(try await world.said(of: "o-2") == ["rejected coupon-used"])
            #expect(try await world.timeouts().isEmpty)
        }
    }

    @Test("A waiting order that is cancelled gets nothing that is freed later")
    func waitCancel() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.place("o-2", coupon)
            let wait = try await world.timeout("redemption-wait:o-2")
            try await world.cancel("o-2", coupon)
            #expect(try await world.said(of: "o-2") == ["released order-ended"])
            try await world.cancel("o-1", coupon)
            try await world.fireAllTheSame(wait)
            #expect(try await world.said(of: "o-2").count == 1)
            #expect(try await world.standing(of: coupon) == "issued")
        }
    }

    @Test("A waiting order that is confirmed all the same is refused: another has the coupon")
    func waitConfirm() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.place("o-2", coupon)
            try await world.confirm("o-2", coupon)
            #expect(try await world.said(of: "o-2") == ["rejected redemption-expired"])
            #expect(try await world.standing(of: coupon) == "reserved o-1")
        }
    }

    @Test("Those that wait are served oldest first, one at a time, and one whose rule has changed is passed over")
    func oldestFirst() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.place("o-2", coupon, total: Money(amount: 500, currency: "EUR"))
            try await world.place("o-3", coupon)
            try await world.place("o-4", coupon)
            let minimum = #", "limitPerCustomer": 9, "minimum": {"amount": 1000, "currency": "EUR"}"#
            try await world.define("TEN", minimum)
            try await world.fire(try await world.timeout("redemption-expiry:o-1"))
            #expect(try await world.said(of: "o-2") == ["rejected coupon-below-minimum"])
            #expect(try await world.said(of: "o-3") == ["redeemed 130"])
            #expect(try await world.state("o-4") == .waiting)
            try await world.cancel("o-3", coupon)
            #expect(try await world.standing(of: coupon) == "reserved o-4")
        }
    }

    @Test("A long line is told in slices, none of which forgets anybody")
    func slices() async throws {
        try await CouponWorld.with(waitingAtOnce: 3) { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            for number in 10..<20 { try await world.place("o-\(number)", coupon) }
            try await world.confirm("o-1", coupon)
            var slices = 1
            while let next = try await world.timeout("waiting-redemptions:\(coupon)") {
                #expect(try await world.stored().count == 2 + 3 * slices)
                try await world.fire(next)
                slices += 1
                guard slices < 10 else { break }
            }
            #expect(slices == 4)
            for number in 10..<20 {
                #expect(try await world.said(of: "o-\(number)") == ["rejected coupon-used"])
            }
        }
    }

    @Test("A confirmed order that Coupon never saw is a warning and nothing else")
    func unknownOrder() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.confirm("o-1", coupon)
            #expect(try await world.state("o-1") == nil)
            #expect(try await world.stored().isEmpty)
            #expect(world.logs.messages == ["A confirmed order has no redemption"])
        }
    }

    @Test("The tables themselves refuse one coupon for two orders, and a discount above the total")
    func constraints() async throws {
        try await CouponWorld.with { world in
            let coupon = try await world.issue()
            try await world.place("o-1", coupon)
            try await world.place("o-2", coupon)
            for values in [
                "state = 'held', discount = 1", "state = 'confirmed', discount = 1", "discount = 1301", "discount = 0",
            ] {
                await #expect(throws: DatabaseError.self, "\(values)") {
                    try await world.database.write { transaction in
                        try transaction.execute("UPDATE redemptions SET \(values) WHERE order_id = 'o-2'")
                    }
                }
            }
            for values in ["state = 'issued'", "order_id = NULL", "state = 'lost'", "number = 0"] {
                await #expect(throws: DatabaseError.self, "\(values)") {
                    try await world.database.write { try $0.execute("UPDATE coupons SET \(values)") }
                }
            }
        }
    }

    @Test("Whatever comes in whatever order, the books are right", arguments: 1...12)
    func anything(seed: UInt64) async throws {
        var random = SplitMix(state: seed)
        let steps = (0..<150).map { _ in (random.next(), random.next(), random.next()) }
        try await CouponWorld.with(waitingAtOnce: 2) { world in
            var coupons: [String] = []
            for _ in 1...2 { coupons.append(try await world.issue()) }
            for (step, first, second) in steps {
                let coupon = coupons[Int(first % 2)]
                let order = "o-\(first % 2)-\(second % 5)"
                switch step % 10 {
                case 0, 1, 2: try await world.place(order, coupon)
                case 3, 4: try await world.confirm(order, coupon)
                case 5: try await world.cancel(order, coupon)
                case 6: try await world.place(UUIDv7.make(), coupon)
                default:
                    let waiting = try await world.timeouts()
                    guard !waiting.isEmpty else { continue }
                    let timeout = waiting[Int(first % UInt64(waiting.count))]
                    if second % 4 == 0 { try await world.confirm(timeout.envelope.subject ?? "", coupon) }
                    try await world.fire(timeout)
                }
                #expect(try await world.faultsOfBooks() == [])
            }
        }
    }
}

/// Numbers that a seed repeats (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
