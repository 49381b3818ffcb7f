import ShopEvents
import Testing

@testable import Payment
@testable import Sandbox

/// The provider's books of a day held against the ledger.
@Suite("Payment's ledger and reconciliation", .timeLimit(.minutes(5))) struct PaymentReconciliationTests {
    @Test("A day on which everything was heard of has no difference, over more than one page")
    func agrees() async throws {
        try await PaymentDesk.open { desk async throws in
            for number in 1...103 { try await desk.request("order-\(number)") }
            try await desk.request("order-104", method: .declined)
            for number in 1...3 { try await desk.cancel("order-\(number)") }
            try await desk.requestPoints("pts_1")
            let result = try await desk.reconciliation()
            #expect(result.differences == [])
            #expect(result.looked == [.charge: 105, .refund: 3, .dispute: 0])
            #expect(try await desk.balances() == ["provider": 1250 * 101, "sales": -1250 * 100, "points": -1250])
        }
    }

    @Test("What was done at the provider and not heard of is a difference each, until its webhook comes")
    func unheard() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request("order-1")
            try await desk.request("order-2")
            #expect(try await desk.request("order-3", crashing: true) == .crashed)
            _ = desk.atProvider { $0.refundByHand(["order": "order-1", "amount": "100"], at: $1) }
            _ = desk.atProvider { $0.openDispute(["order": "order-2"], at: $1) }
            let form = ["amount": "70", "currency": "eur", "payment_method": "pm_card_visa", "confirm": "true"]
            _ = desk.atProvider { $0.createIntent(form, key: nil, at: $1) }
            let found = try await desk.reconciliation().differences
            #expect(found.map(\.kind) == [.notInLedger, .notInLedger, .notInLedger, .notInLedger])
            #expect(found.map(\.object) == [.charge, .charge, .dispute, .refund])
            #expect(found.first { $0.orderID == "order-3" }?.mend.contains("payment_intent.succeeded") == true)
            #expect(found.first { $0.atProvider?.amount == 70 }?.mend.contains("Nobody in the shop") == true)
            try await desk.follow(desk.providerEvents())
            let left = try await desk.reconciliation().differences
            #expect(left.map(\.atProvider) == [Money(amount: 70, currency: "EUR")])
        }
    }

    @Test("A refund that failed after it was booked is a difference until that is heard of")
    func failedRefund() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request(method: .refundFail)
            try await desk.cancel()
            #expect(try await desk.reconciliation().differences == [])
            desk.wait(milliseconds: 3_000)
            let difference = try #require(try await desk.reconciliation().differences.first)
            #expect(difference.kind == .notMoved)
            #expect(difference.mend.contains("refund it at the provider once more"))
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.reconciliation().differences == [])
        }
    }

    @Test("What was made before midnight and booked after it is a difference on neither day")
    func midnight() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(crashing: true) == .crashed)
            desk.wait(milliseconds: 86_400_000)
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told() == ["captured"])
            #expect(try await desk.reconciliation().differences == [])
            desk.wait(milliseconds: -86_400_000)
            #expect(try await desk.reconciliation().differences == [])
        }
    }

    private static let charge = ProviderObject(
        kind: .charge,
        id: "pi_1",
        intent: "pi_1",
        money: Money(amount: 5, currency: "EUR"),
        standing: .moved,
        status: "succeeded",
        orderID: "o"
    )

    @Test("Other amounts, other currencies and what the provider has never heard of are told apart")
    func differences() {
        func compare(_ money: Money?, _ objects: [ProviderObject] = [Self.charge]) -> [Reconciliation.Difference.Kind] {
            let standing = money.map { PaymentLedger.Standing(orderID: "o", money: $0) }
            return Reconciliation(
                objects,
                standings: standing.map { ["pi_1": $0] } ?? [:],
                booked: standing.map { ["pi_1": (.charge, $0)] } ?? [:],
                known: ["o"]
            ).differences.map(\.kind)
        }
        #expect(compare(Money(amount: 5, currency: "EUR")) == [])
        #expect(compare(Money(amount: 6, currency: "EUR")) == [.otherAmount])
        #expect(compare(Money(amount: 5, currency: "USD")) == [.otherAmount])
        #expect(compare(nil) == [.notInLedger])
        #expect(compare(Money(amount: 5, currency: "EUR"), []) == [.notAtProvider])
        #expect(compare(Money(amount: 0, currency: "EUR"), []) == [])
    }

    @Test(
        "Stripe's units and the shop's are turned into one another without loss",
        arguments: ["EUR", "JPY", "ISK", "KWD", "MGA", "UGX"]
    )
    func units(code: String) throws {
        for amount in [10, 500, 12_300] as [Int64] {
            let money = Money(amount: amount, currency: code)
            guard let stripe = StripeAmount(money) else { continue }
            #expect(StripeAmount.money(units: stripe.units, currency: stripe.currency) == money)
        }
        #expect(StripeAmount.money(units: 150, currency: "isk") == nil)
    }
}
