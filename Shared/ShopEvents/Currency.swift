/// A currency of ISO 4217 in which the shop can take money.
public struct Currency: Sendable, Equatable {
    /// Three capital letters.
    public let code: String
    /// How many digits the minor unit has: 2 for cents, 0 where there is none.
    public let minorDigits: Int

    /// The currency of that code, or nil when it is not an active one.
    ///
    /// Lower case is not accepted.
    public init?(code: String) {
        guard let minorDigits = Currency.minorDigitsByCode[code] else { return nil }
        self.code = code
        self.minorDigits = minorDigits
    }

    /// Whether there is a currency of that code.
    public static func isCode(_ text: String) -> Bool { minorDigitsByCode[text] != nil }

    /// An amount of minor units as people read it: `1234500` euro cents are `12,345.00 EUR`, 500 yen are `500 JPY`.
    public func text(ofMinorUnits amount: Int64) -> String {
        var digits = String(amount.magnitude)
        if digits.count <= minorDigits {
            digits = String(repeating: "0", count: minorDigits + 1 - digits.count) + digits
        }
        let whole = Currency.grouped(digits.dropLast(minorDigits))
        let fraction = minorDigits == 0 ? "" : "." + digits.suffix(minorDigits)
        return (amount < 0 ? "-" : "") + whole + fraction + " " + code
    }

    private static func grouped(_ digits: some StringProtocol) -> String {
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// The codes of all currencies, in order.
    public static var codes: [String] { minorDigitsByCode.keys.sorted() }

    /// The active codes of ISO 4217 without its funds, metals and test codes, by digits of their minor unit.
    private static let minorDigitsByCode: [String: Int] = {
        let codes = [
            0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
            2: """
            AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP \
            CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS \
            INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN \
            MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE \
            SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG
            """,
            3: "BHD IQD JOD KWD LYD OMR TND",
        ]
        var result: [String: Int] = [:]
        for (digits, list) in codes {
            for code in list.split(separator: " ") { result[String(code)] = digits }
        }
        return result
    }()
}
