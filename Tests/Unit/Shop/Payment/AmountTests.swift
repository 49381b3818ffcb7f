import ShopEvents
import Testing

@testable import Payment
@testable import Sandbox

/// ISO 4217's minor units on one side, the provider's on the other.
@Suite("Amounts in the provider's units") struct AmountTests {
    @Test(
        "An amount is sent in Stripe's units, which are not ISO 4217's",
        arguments: [
            ("EUR", 1250, 1250), ("USD", 1, 1), ("JPY", 500, 500), ("KRW", 500, 500),
            // Without digits in ISO 4217, in hundredths at Stripe.
            ("ISK", 5, 500), ("UGX", 5, 500), ("UGX", 9_999_999_999, 999_999_999_900),
            // With two digits in ISO 4217, without any at Stripe.
            ("MGA", 50_000, 500), ("MGA", 50_001, nil), ("MGA", 99, nil),
            // Three digits, of which the last is 0.
            ("KWD", 5120, 5120), ("KWD", 5124, nil), ("BHD", 10, 10), ("JOD", 15, nil), ("OMR", 1, nil),
            ("TND", 1000, 1000),
            // Special at Stripe for payouts alone.
            ("HUF", 1045, 1045), ("TWD", 80_045, 80_045),
            // Too much, nothing, less than nothing.
            ("EUR", 999_999_999_999, 999_999_999_999), ("EUR", 1_000_000_000_000, nil), ("EUR", 0, nil),
            ("EUR", -1, nil), ("ISK", 10_000_000_000, nil), ("ISK", .max, nil), ("MGA", .min, nil),
            // Not at all.
            ("IQD", 1000, nil), ("CUP", 1000, nil), ("eur", 1000, nil), ("XXX", 1000, nil),
        ] as [(String, Int64, Int64?)]
    )
    func units(currency: String, amount: Int64, units: Int64?) {
        let sent = StripeAmount(Money(amount: amount, currency: currency))
        #expect(sent?.units == units)
        if let sent { #expect(sent.currency == currency.lowercased()) }
    }

    @Test("Order takes exactly what Payment can express", arguments: Currency.codes)
    func contract(currency: String) {
        let amounts: [Int64] = [
            .min, -100, -1, 0, 1, 5, 9, 10, 11, 99, 100, 101, 110, 1000, 1010, 12_345, 9_999_999_990, 9_999_999_999,
            10_000_000_000, 999_999_999_900, 999_999_999_990, 999_999_999_999, 1_000_000_000_000, .max,
        ]
        for amount in amounts {
            let money = Money(amount: amount, currency: currency)
            #expect((Tender.refusal(of: money) == nil) == (StripeAmount(money) != nil), "\(amount) \(currency)")
        }
    }

    @Test("What Payment sends is what the sandbox takes, whose table is its own", arguments: Currency.codes)
    func sandbox(currency: String) throws {
        for amount: Int64 in [100_000, 1_234_500, 9_999_999_900] {
            guard let sent = StripeAmount(Money(amount: amount, currency: currency)) else { continue }
            var state = ProviderState(series: "t")
            let form = charge(amount: String(sent.units)).merging(["currency": sent.currency]) { _, new in new }
            let intent = state.createIntent(form, key: nil, at: 0).intent
            #expect(intent?.amount == sent.units, "\(amount) \(currency)")
            #expect(intent?.currency == sent.currency)
        }
    }
}
