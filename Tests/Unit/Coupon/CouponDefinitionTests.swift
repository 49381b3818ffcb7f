import Database
import ShopEvents
import Testing

@testable import Coupon

@Suite("A definition, a pure value, and the row that counts")
struct CouponDefinitionTests {
    private static func definition(limit: Int?, perCustomer: Int = 1, issued: Int = 0) -> CouponDefinition {
        CouponDefinition(
            id: "TEN",
            terms: CouponDefinition.Terms(
                rule: CouponRule(discount: .percent(10), validUntil: 2_000),
                limit: limit,
                limitPerCustomer: perCustomer
            ),
            issued: issued,
            createdAt: 500,
            updatedAt: 500
        )
    }

    private static func words(_ result: Result<Int, CouponDefinition.ClaimRefusal>) -> String {
        switch result {
        case .success(let number): "number \(number)"
        case .failure(let refusal): "\(refusal)"
        }
    }

    @Test("issues up to its limit, and up to the customer's, of which the customer hears first")
    func claims() {
        func claim(_ definition: CouponDefinition, having count: Int, at now: Int64 = 1_000) -> String {
            var definition = definition
            let issued = definition.issued
            let words = Self.words(definition.claim(having: count, at: now))
            #expect(definition.issued == (words.hasPrefix("number") ? issued + 1 : issued))
            return words
        }
        #expect(claim(Self.definition(limit: 100, issued: 99), having: 0) == "number 1")
        #expect(claim(Self.definition(limit: 100, issued: 100), having: 0) == "allIssued")
        #expect(claim(Self.definition(limit: nil, issued: 1_000_000), having: 0) == "number 1")
        #expect(claim(Self.definition(limit: 100, perCustomer: 3, issued: 2), having: 2) == "number 3")
        #expect(claim(Self.definition(limit: 100, perCustomer: 3, issued: 3), having: 3) == "customerLimit")
        #expect(claim(Self.definition(limit: 100, issued: 100), having: 1) == "customerLimit")
        #expect(claim(Self.definition(limit: 100), having: 0, at: 1_999) == "number 1")
        #expect(claim(Self.definition(limit: 100), having: 0, at: 2_000) == "ended")
        #expect(claim(Self.definition(limit: 100, issued: 100), having: 0, at: 2_000) == "ended")
    }

    @Test("takes other terms, but no limit below what is issued")
    func terms() throws {
        var definition = Self.definition(limit: 5, issued: 3)
        #expect(try !definition.put(definition.terms, at: 1_000))
        #expect(definition.updatedAt == 500, "the same terms are no change")
        var terms = definition.terms
        terms.limit = 2
        #expect(throws: CouponDefinition.TooManyIssued(issued: 3)) { _ = try definition.put(terms, at: 1_000) }
        #expect(definition == Self.definition(limit: 5, issued: 3))
        for limit in [3, nil] {
            terms.limit = limit
            #expect(try definition.put(terms, at: 1_000))
            #expect(definition.terms == terms)
        }
        #expect(definition.updatedAt == 1_000)
    }

    @Test("counts no more than there are although another process has taken the last one meanwhile")
    func counting() async throws {
        try await CouponWorld.with { world in
            try await world.define("ONE", #", "limit": 1"#)
            try await world.define("ALL")
            let store = DefinitionStore()
            let counted = try await world.database.write { transaction in
                let results = try ["ONE", "ONE", "ALL", "ALL"].map { try store.countIssued(of: $0, in: transaction) }
                let issued = try store.page(after: "", limit: 9, in: transaction).map(\.issued)
                try transaction.execute("UPDATE coupon_definitions SET issued = 0")
                return (results, issued)
            }
            #expect(counted.0 == [true, false, true, true])
            #expect(counted.1 == [2, 1])
        }
    }
}
