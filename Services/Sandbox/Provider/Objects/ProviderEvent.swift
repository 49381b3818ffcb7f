/// Stripe's event: something has happened to an object, which it shows as it was then.
struct ProviderEvent: Sendable, Equatable {
    /// What an event is about.
    enum Object: Sendable, Equatable {
        case intent(PaymentIntent)
        case refund(Refund)
        case dispute(Dispute)

        /// The intent that it is, or that it is about.
        var paymentIntent: String {
            switch self {
            case .intent(let intent): intent.id
            case .refund(let refund): refund.paymentIntent
            case .dispute(let dispute): dispute.paymentIntent
            }
        }
    }

    let id: String
    let type: String
    /// Seconds since 1970.
    let created: Int64
    let object: Object
}

extension ProviderEvent: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id
        case object
        case apiVersion = "api_version"
        case created
        case data
        case livemode
        case pendingWebhooks = "pending_webhooks"
        case request
        case type
    }

    private struct Content: Encodable {
        let object: Object
    }

    private struct Request: Encodable {
        private enum CodingKeys: String, CodingKey {
            case id
            case key = "idempotency_key"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeNil(forKey: .id)
            try container.encodeNil(forKey: .key)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode("event", forKey: .object)
        try container.encode("2024-06-20", forKey: .apiVersion)
        try container.encode(created, forKey: .created)
        try container.encode(Content(object: object), forKey: .data)
        try container.encode(false, forKey: .livemode)
        try container.encode(1, forKey: .pendingWebhooks)
        try container.encode(Request(), forKey: .request)
        try container.encode(type, forKey: .type)
    }
}

extension ProviderEvent.Object: Encodable {
    func encode(to encoder: any Encoder) throws {
        switch self {
        case .intent(let intent): try intent.encode(to: encoder)
        case .refund(let refund): try refund.encode(to: encoder)
        case .dispute(let dispute): try dispute.encode(to: encoder)
        }
    }
}

/// The provider's events, oldest first: the last ten thousand at least.
struct ProviderEvents: Sendable {
    private static let most = 20_000

    private(set) var kept: [ProviderEvent] = []
    /// How many there have been.
    private(set) var count = 0

    /// Adds what has happened.
    mutating func add(_ type: String, _ object: ProviderEvent.Object, series: String, at now: Int64) {
        count += 1
        kept.append(ProviderEvent(id: "evt_\(series)\(count)", type: type, created: now / 1000, object: object))
        if kept.count >= Self.most { kept.removeFirst(Self.most / 2) }
    }

    /// Those after the first `number`, as far as they are kept.
    func after(_ number: Int) -> ArraySlice<ProviderEvent> { kept.suffix(max(0, count - number)) }
}
