import HTTP

/// A webhook of the provider's: Stripe's event, as far as Payment reads it.
struct WebhookMessage: Decodable, Sendable, Equatable {
    let id: String
    let type: String
    /// The intent that it is about, itself or its charge; nil where it is about something else.
    let intent: String?
    let dispute: String?
    /// The order that Payment has written beside the object; where it has not, nil.
    let orderID: String?

    private enum CodingKeys: String, CodingKey {
        case id
        case type
        case data
        case object
        case paymentIntent = "payment_intent"
        case metadata
        case orderID = "order_id"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let id = try fields.decode(String.self, forKey: .id)
        guard let checked = Self.identity(id) else {
            throw DecodingError.dataCorruptedError(forKey: .id, in: fields, debugDescription: "must be an event's id")
        }
        self.id = checked
        type = try fields.decode(String.self, forKey: .type)
        let object = try fields.nestedContainer(keyedBy: CodingKeys.self, forKey: .data)
            .nestedContainer(keyedBy: CodingKeys.self, forKey: .object)
        let kind = try? object.decode(String.self, forKey: .object)
        let own = Self.identity(try? object.decode(String.self, forKey: .id))
        let other = Self.identity(try? object.decode(String.self, forKey: .paymentIntent))
        intent =
            switch kind {
            case "payment_intent": own
            case "charge", "refund", "dispute": other
            default: nil
            }
        dispute = kind == "dispute" ? own : nil
        let metadata = try? object.nestedContainer(keyedBy: CodingKeys.self, forKey: .metadata)
        orderID = try? metadata?.decode(String.self, forKey: .orderID)
    }

    private static func identity(_ text: String?) -> String? {
        guard let text, (1...255).contains(text.utf8.count), text.utf8.allSatisfy(AnswerCheck.isOfCode) else {
            return nil
        }
        return text
    }
}
