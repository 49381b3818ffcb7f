/// The parameters of a call while they are checked.
struct Parameters {
    let form: [String: String]

    init(_ form: [String: String]) {
        self.form = form
    }

    /// Refuses parameters that the call does not know or does not honour.
    /// - Parameter metadata: whether `metadata[…]` is known to it.
    func allow(_ names: Set<String>, metadata: Bool = false) throws {
        let unknown = form.keys.filter { name in
            !names.contains(name) && !(metadata && Self.metadataName(name) != nil)
        }.min()
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

    /// A whole number of the currency's units, from 1.
    func amount(_ text: String, param: String = "amount") throws -> Int64 {
        guard let amount = Int64(text), amount >= 0 else {
            throw ProviderError.invalid("parameter_invalid_integer", "Invalid integer: \(text)", param: param)
        }
        guard amount > 0 else {
            throw ProviderError.invalid("amount_too_small", "The amount must be at least 1.", param: param)
        }
        return amount
    }

    /// `true` or `false`; false when it is not there.
    func flag(_ name: String) throws -> Bool {
        switch form[name] {
        case "true": return true
        case nil, "false": return false
        case .some(let value): throw ProviderError.invalid(nil, "Invalid boolean: \(value)", param: name)
        }
    }

    /// One of several words, or nil when it is not there.
    func word(_ name: String, of words: [String]) throws -> String? {
        guard let value = form[name] else { return nil }
        guard words.contains(value) else {
            let known = words.joined(separator: ", ")
            throw ProviderError.invalid(nil, "Invalid \(name): must be one of \(known)", param: name)
        }
        return value
    }

    /// The test payment method that a client names; nil when it names none.
    func paymentMethod() throws -> PaymentMethod? {
        guard let token = form["payment_method"] else { return nil }
        guard let method = PaymentMethod(token: token) else {
            throw ProviderError.notFound("PaymentMethod", token, param: "payment_method", status: 400)
        }
        return method
    }

    /// That the only type of payment asked for is the one there is.
    func checkTypes() throws {
        for name in Self.typeNames {
            if let type = form[name], type != "card" {
                throw ProviderError.invalid(
                    "payment_intent_invalid_parameter",
                    "The payment method type \(type) is not taken here.",
                    param: "payment_method_types"
                )
            }
        }
    }

    /// The ways to write a list of one.
    static let typeNames: Set<String> = ["payment_method_types[]", "payment_method_types[0]"]

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
    let isServersOwn: Bool
    let captureMethod: PaymentIntent.CaptureMethod
    let description: String?
    let metadata: [String: String]

    private static let names: Set<String> = [
        "amount", "currency", "payment_method", "confirm", "description", "error_on_requires_action", "off_session",
        "capture_method",
    ]

    /// Checks the parameters.
    /// - Throws: `ProviderError` that names the parameter at fault.
    init(_ form: [String: String]) throws {
        let parameters = Parameters(form)
        try parameters.allow(Self.names.union(Parameters.typeNames), metadata: true)
        amount = try parameters.amount(try parameters.required("amount"))
        currency = try parameters.required("currency").lowercased()
        guard let rule = ChargeRule(currency) else {
            throw ProviderError.invalid(nil, "Invalid currency: \(currency).", param: "currency")
        }
        try parameters.checkTypes()
        metadata = try parameters.metadata()
        description = form["description"]
        confirms = try parameters.flag("confirm")
        let words = [PaymentIntent.CaptureMethod.automatic, .automaticAsync, .manual]
        let word = try parameters.word("capture_method", of: words.map(\.rawValue))
        captureMethod = word.flatMap(PaymentIntent.CaptureMethod.init(rawValue:)) ?? .automatic
        let failsOnAction = try parameters.flag("error_on_requires_action")
        let isOffSession = try parameters.flag("off_session")
        for name in ["error_on_requires_action", "off_session"] where form[name] != nil && !confirms {
            throw ProviderError.invalid(nil, "\(name) goes with confirm=true only.", param: name)
        }
        isServersOwn = failsOnAction || isOffSession
        paymentMethod = try parameters.paymentMethod()
        try rule.check(amount, of: currency, on: paymentMethod)
        if confirms, paymentMethod == nil {
            throw ProviderError.invalid(
                "parameter_missing",
                "An intent is confirmed with a payment method.",
                param: "payment_method"
            )
        }
    }
}

/// The checked parameters of a confirmation.
struct ConfirmRequest {
    let paymentMethod: PaymentMethod?
    let isServersOwn: Bool

    init(_ form: [String: String]) throws {
        let parameters = Parameters(form)
        try parameters.allow(["payment_method", "error_on_requires_action", "off_session"])
        paymentMethod = try parameters.paymentMethod()
        let failsOnAction = try parameters.flag("error_on_requires_action")
        let isOffSession = try parameters.flag("off_session")
        isServersOwn = failsOnAction || isOffSession
    }
}

/// The checked parameters of a refund.
struct RefundRequest {
    /// What is given back: the id of an intent, or of its charge.
    let charged: (param: String, id: String)
    /// All that is left when nil.
    let amount: Int64?
    let reason: String?
    let metadata: [String: String]

    /// Checks the parameters.
    /// - Throws: `ProviderError` that names the parameter at fault.
    init(_ form: [String: String]) throws {
        let parameters = Parameters(form)
        try parameters.allow(["payment_intent", "charge", "amount", "reason"], metadata: true)
        if let charge = form["charge"], !charge.isEmpty {
            guard form["payment_intent"] == nil else {
                throw ProviderError.invalid(nil, "Give one of charge and payment_intent.", param: "charge")
            }
            charged = ("charge", charge)
        } else {
            charged = ("payment_intent", try parameters.required("payment_intent"))
        }
        amount = try form["amount"].map { try parameters.amount($0) }
        reason = try parameters.word("reason", of: ["duplicate", "fraudulent", "requested_by_customer"])
        metadata = try parameters.metadata()
    }
}
