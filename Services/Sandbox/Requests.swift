/// The parameters of a call while they are checked.
struct Parameters {
    let form: [String: String]

    init(_ form: [String: String]) {
        self.form = form
    }

    /// Refuses parameters that the call does not know; `metadata[…]` is known to all.
    func allow(_ names: Set<String>) throws {
        let unknown = form.keys.filter { !names.contains($0) && Self.metadataName($0) == nil }.min()
        if let unknown {
            throw ProviderError.invalid("parameter_unknown", "Received unknown parameter: \(unknown)", param: unknown)
        }
    }

    /// A parameter that must be there.
    func required(_ name: String) throws -> String {
        guard let value = form[name], !value.isEmpty else {
            throw ProviderError.invalid("parameter_missing", "Missing required param: \(name).", param: name)
        }
        return value
    }

    /// A whole number of minor units, from 1 to 99,999,999.
    func amount(_ text: String) throws -> Int64 {
        guard let amount = Int64(text), amount >= 0 else {
            throw ProviderError.invalid("parameter_invalid_integer", "Invalid integer: \(text)", param: "amount")
        }
        guard amount > 0 else {
            throw ProviderError.invalid("amount_too_small", "The amount must be at least 1.", param: "amount")
        }
        guard amount <= 99_999_999 else {
            throw ProviderError.invalid("amount_too_large", "The amount must be at most 99999999.", param: "amount")
        }
        return amount
    }

    /// The `metadata[…]` parameters: at most 50, names up to 40 and values up to 500 characters.
    func metadata() throws -> [String: String] {
        var metadata: [String: String] = [:]
        for (name, value) in form {
            guard let key = Self.metadataName(name) else { continue }
            guard key.count <= 40, value.count <= 500 else {
                throw ProviderError.invalid(
                    nil,
                    "Metadata names have up to 40, values up to 500 characters.",
                    param: name
                )
            }
            metadata[key] = value
        }
        guard metadata.count <= 50 else {
            throw ProviderError.invalid(nil, "Metadata has up to 50 entries.", param: "metadata")
        }
        return metadata
    }

    private static func metadataName(_ name: String) -> String? {
        guard name.hasPrefix("metadata["), name.hasSuffix("]"), name.count > "metadata[]".count else { return nil }
        return String(name.dropFirst("metadata[".count).dropLast())
    }
}

/// The checked parameters of a new intent.
struct IntentRequest {
    let amount: Int64
    let currency: String
    let paymentMethod: PaymentMethod?
    let confirms: Bool
    let metadata: [String: String]

    private static let names: Set<String> = [
        "amount", "currency", "payment_method", "payment_method_types[]", "payment_method_types[0]", "confirm",
        "description", "error_on_requires_action", "off_session", "capture_method",
    ]

    /// Checks the parameters.
    /// - Throws: `ProviderError` that names the parameter at fault.
    init(_ form: [String: String]) throws {
        let parameters = Parameters(form)
        try parameters.allow(Self.names)
        amount = try parameters.amount(try parameters.required("amount"))
        currency = try parameters.required("currency").lowercased()
        guard Currency.codes.contains(currency) else {
            throw ProviderError.invalid(nil, "Invalid currency: \(currency).", param: "currency")
        }
        metadata = try parameters.metadata()
        switch form["confirm"] {
        case "true": confirms = true
        case nil, "false": confirms = false
        case .some(let value): throw ProviderError.invalid(nil, "Invalid boolean: \(value)", param: "confirm")
        }
        guard let token = form["payment_method"] else {
            paymentMethod = nil
            if confirms {
                throw ProviderError.invalid(
                    "parameter_missing",
                    "An intent is confirmed with a payment method.",
                    param: "payment_method"
                )
            }
            return
        }
        guard let method = PaymentMethod(rawValue: token) else {
            throw ProviderError.notFound("PaymentMethod", token, param: "payment_method", status: 400)
        }
        paymentMethod = method
    }
}

/// The checked parameters of a refund.
struct RefundRequest {
    let paymentIntent: String
    /// All that is left when nil.
    let amount: Int64?
    let metadata: [String: String]

    /// Checks the parameters.
    /// - Throws: `ProviderError` that names the parameter at fault.
    init(_ form: [String: String]) throws {
        let parameters = Parameters(form)
        try parameters.allow(["payment_intent", "amount", "reason"])
        paymentIntent = try parameters.required("payment_intent")
        amount = try form["amount"].map(parameters.amount)
        metadata = try parameters.metadata()
    }
}

/// The currencies that the provider charges in (ISO 4217).
enum Currency {
    static let codes = Set(
        """
        aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny \
        cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk \
        jmd jpy kes kgs khr kmf krw kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad \
        ngn nio nok npr nzd pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl \
        thb tjs top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
        """.split(separator: " ").map(String.init)
    )
}
