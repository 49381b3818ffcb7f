import Database
import HTTP
import JSON
import Testing

@testable import Coupon

@Suite("Ten thousand claim at once")
struct ClaimRushTests {
    /// How often each outcome came, by status and problem.
    private func outcomes(
        in world: CouponWorld,
        _ claims: Int,
        customer: @escaping @Sendable (Int) -> String,
        key: @escaping @Sendable (Int) -> String? = { _ in nil }
    ) async -> [String: Int] {
        await withTaskGroup(of: String.self) { group in
            for number in 0..<claims {
                group.addTask {
                    let answer = await world.claim("RUSH", customer(number), key: key(number))
                    return [String(answer.status), answer.problem].compactMap(\.self).joined(separator: " ")
                }
            }
            return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
    }

    @Test("A limit of a hundred: exactly a hundred get one, everybody else hears that they are gone")
    func customers() async throws {
        try await CouponWorld.with { world in
            try await world.define("RUSH", #", "limit": 100"#)
            let outcomes = await outcomes(in: world, 10_000, customer: { "customer-\($0)" })
            #expect(outcomes == ["201": 100, "409 coupons-gone": 9_900])
            #expect(await world.send("GET", "/coupons/definitions/RUSH").json["issued"] == 100)
        }
    }

    @Test("A limit of a hundred, and every customer claims ten times: a hundred customers get one each")
    func insistentCustomers() async throws {
        try await CouponWorld.with { world in
            try await world.define("RUSH", #", "limit": 100"#)
            let outcomes = await outcomes(in: world, 10_000, customer: { "customer-\($0 % 1_000)" })
            #expect(outcomes == ["201": 100, "409 coupon-limit-reached": 900, "409 coupons-gone": 9_000])
            let customers = try await world.database.read { transaction in
                try transaction.query("SELECT DISTINCT customer FROM coupons").count
            }
            #expect(customers == 100)
        }
    }

    @Test("One customer who may have three claims a thousand times, and each key is answered the same twice")
    func oneCustomer() async throws {
        try await CouponWorld.with { world in
            try await world.define("RUSH", #", "limit": 100, "limitPerCustomer": 3"#)
            let outcomes = await outcomes(in: world, 1_000, customer: { _ in "ada" })
            #expect(outcomes == ["201": 3, "409 coupon-limit-reached": 997])
            let replayed = await self.outcomes(in: world, 194, customer: { "c-\($0 / 2)" }, key: { "k-\($0 / 2)" })
            #expect(replayed == ["201": 194], "97 are left, for two requests under each key")
            #expect(await world.send("GET", "/coupons/definitions/RUSH").json["issued"] == 100)
        }
    }
}
