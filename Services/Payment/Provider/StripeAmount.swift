import ShopEvents

/// An amount of money as Stripe counts it.
///
/// Stripe's units are not ISO 4217's minor units. Its page "Supported currencies" (https://docs.stripe.com/currencies)
/// says which currencies there are, and how each is counted:
///
/// - in hundredths, unless something else is said;
/// - "Zero-decimal currencies" in whole units, among them MGA, which has two digits in ISO 4217;
/// - "Special cases": ISK and UGX in hundredths that always end in `00`, though both have no digits in ISO 4217 (UGX
///   stands among the zero-decimal ones as well; the special case is what its charges go by). HUF and TWD are special for
///   payouts alone;
/// - BHD, JOD, KWD, OMR and TND in thousandths, the last of which is 0 (so the page until 2023, as "Three-decimal
///   currencies"; the currencies are still there);
/// - "Maximum charge amounts": twelve digits for most cards.
///
/// What cards are charged at least depends on the account's own currency, so only the provider can say it.
struct StripeAmount: Sendable, Equatable {
    /// Stripe's units.
    let units: Int64
    /// Three small letters.
    let currency: String

    /// The amount, or nil when Stripe cannot express it or does not charge in its currency.
    init?(_ money: Money) {
        guard let iso = Currency(code: money.currency), Self.currencies.contains(money.currency) else { return nil }
        let rule = Self.rules[money.currency] ?? Rule(digits: 2, step: 1)
        var units = money.amount
        if rule.digits >= iso.minorDigits {
            let (product, isOver) = units.multipliedReportingOverflow(by: Self.power(rule.digits - iso.minorDigits))
            guard !isOver else { return nil }
            units = product
        } else {
            let divisor = Self.power(iso.minorDigits - rule.digits)
            guard units.isMultiple(of: divisor) else { return nil }
            units /= divisor
        }
        guard (1...999_999_999_999).contains(units), units.isMultiple(of: rule.step) else { return nil }
        self.units = units
        currency = money.currency.lowercased()
    }

    /// What so many of Stripe's units are in the shop's minor units; nil for a currency that is none, or a part of a minor unit.
    static func money(units: Int64, currency: String) -> Money? {
        let code = currency.uppercased()
        guard let iso = Currency(code: code), currencies.contains(code), units >= 0 else { return nil }
        let digits = rules[code]?.digits ?? 2
        if digits >= iso.minorDigits {
            let divisor = power(digits - iso.minorDigits)
            return units.isMultiple(of: divisor) ? Money(amount: units / divisor, currency: code) : nil
        }
        let (product, isOver) = units.multipliedReportingOverflow(by: power(iso.minorDigits - digits))
        return isOver ? nil : Money(amount: product, currency: code)
    }

    private static func power(_ digits: Int) -> Int64 {
        (0..<digits).reduce(1) { product, _ in product * 10 }
    }

    private struct Rule {
        /// How many digits a unit has after the point.
        let digits: Int
        /// What the units have to be a multiple of.
        let step: Int64
    }

    /// All that are not plain hundredths.
    private static let rules: [String: Rule] = {
        var rules: [String: Rule] = [:]
        for code in "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(separator: " ") {
            rules[String(code)] = Rule(digits: 0, step: 1)
        }
        for code in ["ISK", "UGX"] { rules[code] = Rule(digits: 2, step: 100) }
        for code in ["BHD", "JOD", "KWD", "OMR", "TND"] { rules[code] = Rule(digits: 3, step: 10) }
        return rules
    }()

    /// What Stripe charges cards in.
    private static let currencies = Set(
        """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY \
        COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR \
        ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK \
        MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD \
        SHP SLE SOS SRD SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER \
        ZAR ZMW
        """.split(separator: " ").map(String.init)
    )
}
