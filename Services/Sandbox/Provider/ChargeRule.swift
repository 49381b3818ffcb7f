/// What this provider charges in a currency, in its own units: Stripe's, from "Supported currencies"
/// (https://docs.stripe.com/currencies).
///
/// Written down here once more and on purpose: what Payment believes of the provider is tried against it.
struct ChargeRule: Sendable, Equatable {
    /// The least that a card is charged.
    let minimum: Int64
    /// What an amount must be a multiple of.
    let step: Int64

    /// The most: twelve digits.
    static let most: Int64 = 999_999_999_999
    /// The most on a card of American Express: nine digits.
    static let mostOnAmex: Int64 = 999_999_999

    /// The rule of a currency; nil for one that is not charged in.
    /// - Parameter code: in small letters.
    init?(_ code: String) {
        guard let rule = Self.rules[code] else { return nil }
        self = rule
    }

    private init(minimum: Int64, step: Int64) {
        self.minimum = minimum
        self.step = step
    }

    /// Checks an amount that is to be charged.
    /// - Throws: `ProviderError` that names the parameter at fault.
    func check(_ amount: Int64, of currency: String, on method: PaymentMethod?) throws {
        try checkStep(amount, of: currency)
        guard amount >= minimum else {
            throw ProviderError.invalid(
                "amount_too_small",
                "Amount must be at least \(minimum) \(currency).",
                param: "amount"
            )
        }
        let most = method == .amex ? Self.mostOnAmex : Self.most
        guard amount <= most else {
            throw ProviderError.invalid(
                "amount_too_large",
                "Amount must be no more than \(most) \(currency).",
                param: "amount"
            )
        }
    }

    /// Checks an amount that is to be charged or given back.
    func checkStep(_ amount: Int64, of currency: String, param: String = "amount") throws {
        guard amount.isMultiple(of: step) else {
            throw ProviderError.invalid(
                step == 100 ? "invalid_charge_amount_no_decimal_compatible" : nil,
                "Invalid amount. Amounts in \(currency) must be evenly divisible by \(step).",
                param: param
            )
        }
    }

    private static let rules: [String: ChargeRule] = {
        let minimums: [String: Int64] = [
            "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500, "dkk": 250,
            "eur": 50, "gbp": 30, "hkd": 400, "huf": 17_500, "idr": 50, "ils": 50, "inr": 50, "jpy": 50, "krw": 50,
            "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "rub": 50, "sek": 300,
            "sgd": 50, "thb": 1000, "usd": 50, "zar": 50,
        ]
        // Two digits that are always 00, and three whose last one is always 0.
        let steps: [String: Int64] = ["isk": 100, "ugx": 100, "bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10]
        let codes = """
            aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf \
            chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg \
            huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk \
            mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub \
            rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd \
            vuv wst xaf xcd xcg xof xpf yer zar zmw
            """
        var rules: [String: ChargeRule] = [:]
        for code in codes.split(separator: " ").map(String.init) {
            rules[code] = ChargeRule(minimum: minimums[code] ?? 1, step: steps[code] ?? 1)
        }
        return rules
    }()
}
