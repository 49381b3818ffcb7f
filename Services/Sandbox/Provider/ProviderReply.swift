/// What the provider answers and how the answer travels.
struct ProviderReply: Sendable, Equatable {
    /// How an answer reaches the client, or does not.
    enum Transmission: Sendable, Equatable {
        case now
        /// When the work is done, in milliseconds since 1970.
        case at(Int64)
        /// Not at all: the connection stays open in silence.
        case never
        /// Half of it.
        case cutOff
    }

    var answer: ProviderAnswer
    var transmission: Transmission = .now
    /// Whether the answer is a replay of the first one under its idempotency key.
    var isReplayed = false

    /// An answer at once.
    init(_ answer: ProviderAnswer, transmission: Transmission = .now, isReplayed: Bool = false) {
        self.answer = answer
        self.transmission = transmission
        self.isReplayed = isReplayed
    }
}

/// The content of an answer.
enum ProviderAnswer: Sendable, Equatable {
    case intent(PaymentIntent)
    /// A page of a list.
    case intents([PaymentIntent], hasMore: Bool)
    /// A page of what a search found.
    case found([PaymentIntent], hasMore: Bool)
    case refund(Refund)
    /// A page of a list.
    case refunds([Refund], hasMore: Bool)
    case dispute(Dispute)
    /// A page of a list.
    case disputes([Dispute], hasMore: Bool)
    case event(ProviderEvent)
    /// A page of a list.
    case events([ProviderEvent], hasMore: Bool)
    case error(ProviderError)

    /// The HTTP status.
    var status: Int {
        if case .error(let error) = self { error.status } else { 200 }
    }
}

extension ProviderAnswer: Encodable {
    private enum CodingKeys: String, CodingKey {
        case error
        case object
        case url
        case hasMore = "has_more"
        case nextPage = "next_page"
        case data
    }

    func encode(to encoder: any Encoder) throws {
        switch self {
        case .intent(let intent):
            try intent.encode(to: encoder)
        case .refund(let refund):
            try refund.encode(to: encoder)
        case .intents(let intents, let hasMore):
            try encode(intents, hasMore, as: "list", url: "/v1/payment_intents", to: encoder)
        case .found(let intents, let hasMore):
            try encode(intents, hasMore, as: "search_result", url: "/v1/payment_intents/search", to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(hasMore ? intents.last?.id : nil, forKey: .nextPage)
        case .refunds(let refunds, let hasMore):
            try encode(refunds, hasMore, as: "list", url: "/v1/refunds", to: encoder)
        case .dispute(let dispute):
            try dispute.encode(to: encoder)
        case .disputes(let disputes, let hasMore):
            try encode(disputes, hasMore, as: "list", url: "/v1/disputes", to: encoder)
        case .event(let event):
            try event.encode(to: encoder)
        case .events(let events, let hasMore):
            try encode(events, hasMore, as: "list", url: "/v1/events", to: encoder)
        case .error(let error):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(error, forKey: .error)
        }
    }

    private func encode(
        _ data: some Encodable,
        _ hasMore: Bool,
        as object: String,
        url: String,
        to encoder: any Encoder
    ) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(object, forKey: .object)
        try container.encode(url, forKey: .url)
        try container.encode(hasMore, forKey: .hasMore)
        try container.encode(data, forKey: .data)
    }
}
