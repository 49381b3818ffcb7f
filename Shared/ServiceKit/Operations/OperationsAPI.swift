public import JSON

/// The JSON of the operations API, for the service that answers it and for the program that asks.
///
/// Ids are decimal strings, times RFC 3339 in UTC with milliseconds. A member without a value is `null`, never absent.
public enum OperationsAPI {
    /// A dead letter in a listing.
    public struct DeadLetterSummary: Codable, Sendable, Equatable {
        /// The delivery's id.
        public var id: String
        /// The service in whose table it lies.
        public var service: String
        /// Whose delivery it is: the service, or `(forwarder)` for an event that the broker did not take.
        @OrNull public var subscriber: String?
        /// `scheduled`, `held`, `dead`, `discarded` or `processed`.
        public var state: String
        /// The event's type.
        public var type: String
        /// The event's subject.
        public var subject: String
        /// The event's source.
        public var source: String
        /// The event's id.
        public var eventID: String
        /// How often it was retried by hand.
        public var generation: Int
        /// How many attempts were made in this generation.
        public var attemptCount: Int
        /// When the next attempt is due.
        @OrNull public var dueAt: String?
        /// When it first arrived.
        public var receivedAt: String
        /// When it last changed.
        public var updatedAt: String
        /// The stable name of the last error.
        public var errorClass: String
        /// The last error.
        public var error: String

        enum CodingKeys: String, CodingKey {
            case id
            case service
            case subscriber
            case state
            case type
            case subject
            case source
            case eventID = "eventId"
            case generation
            case attemptCount
            case dueAt
            case receivedAt
            case updatedAt
            case errorClass
            case error
        }
    }

    /// One attempt to handle a delivery.
    public struct Attempt: Codable, Sendable, Equatable {
        /// The generation that it belongs to.
        public var generation: Int
        /// Its number in the generation, from 1.
        public var attempt: Int
        /// When it began.
        public var startedAt: String
        /// How long it took, in milliseconds.
        public var durationMilliseconds: Int64
        /// Where it ran.
        public var host: String
        /// The stable name of the error.
        public var errorClass: String
        /// The error.
        public var error: String

        enum CodingKeys: String, CodingKey {
            case generation
            case attempt
            case startedAt
            case durationMilliseconds = "durationMs"
            case host
            case errorClass
            case error
        }
    }

    /// A dead letter with everything that is known about it: the members of the summary, and these.
    public struct DeadLetterDetail: Codable, Sendable, Equatable {
        /// What a listing shows.
        public var summary: DeadLetterSummary
        /// The original bytes, when they are UTF-8.
        public var body: String?
        /// The original bytes in Base64, when they are not UTF-8.
        public var bodyBase64: String?
        /// The AMQP properties, exchange and routing key.
        public var properties: JSONValue
        /// The last 20 attempts, latest first.
        public var attempts: [Attempt]

        enum CodingKeys: String, CodingKey {
            case body
            case bodyBase64
            case properties
            case attempts
        }

        init(
            summary: DeadLetterSummary,
            body: String?,
            bodyBase64: String?,
            properties: JSONValue,
            attempts: [Attempt]
        ) {
            self.summary = summary
            self.body = body
            self.bodyBase64 = bodyBase64
            self.properties = properties
            self.attempts = attempts
        }

        /// Reads the members of the summary and its own from one object.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            summary = try DeadLetterSummary(from: decoder)
            body = try container.decodeIfPresent(String.self, forKey: .body)
            bodyBase64 = try container.decodeIfPresent(String.self, forKey: .bodyBase64)
            properties = try container.decode(JSONValue.self, forKey: .properties)
            attempts = try container.decode([Attempt].self, forKey: .attempts)
        }

        /// Writes the members of the summary and its own into one object, `null` where there is no value.
        public func encode(to encoder: any Encoder) throws {
            try summary.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(body, forKey: .body)
            try container.encode(bodyBase64, forKey: .bodyBase64)
            try container.encode(properties, forKey: .properties)
            try container.encode(attempts, forKey: .attempts)
        }
    }

    /// Dead letters with the same type and error class.
    public struct DeadLetterGroup: Codable, Sendable, Equatable {
        /// The event's type.
        public var type: String
        /// The stable name of the error.
        public var errorClass: String
        /// How many there are.
        public var count: Int
        /// When the first of them came in.
        public var firstSeen: String
        /// When the latest one came to be here.
        public var lastSeen: String
        /// The error of one of them.
        public var example: String
    }

    /// What was done by hand, by whom and why.
    public struct AuditEntry: Codable, Sendable, Equatable {
        /// The entry's id.
        public var id: String
        /// When.
        public var at: String
        /// Who.
        public var actor: String
        /// `retry`, `discard`, `restore` or `edit`; of an operation `start`, `pause`, `resume` or `cancel`; `restart-feed`.
        public var action: String
        /// To which delivery; nil where it concerns an operation as a whole.
        @OrNull public var deliveryID: String?
        /// The operation on many dead letters that it is part of.
        @OrNull public var operationID: String?
        /// Why; may be empty.
        public var reason: String

        enum CodingKeys: String, CodingKey {
            case id
            case at
            case actor
            case action
            case deliveryID = "deliveryId"
            case operationID = "operationId"
            case reason
        }
    }

    /// A feed: what this service reads of another one's event store.
    public struct Feed: Codable, Sendable, Equatable {
        /// The name, unique in the service.
        public var name: String
        /// The position up to which the source's events are taken.
        public var position: Int64
        /// What is wrong; nil where nothing is.
        @OrNull public var problem: String?
    }

    /// The feeds of a service.
    public struct Feeds: Codable, Sendable, Equatable {
        /// The service that answers.
        public var service: String
        /// By name.
        public var items: [Feed]
    }

    /// Where a feed is to go on.
    public struct FeedRestart: Codable, Sendable, Equatable {
        /// The position behind which it reads; 0 for all that the source has.
        public var after: Int64
        /// Why, for the audit.
        public var reason: String?

        /// Reads it; `7.0` is a whole number, as JSON Schema has it.
        public init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            if let whole = try? members.decode(Double.self, forKey: .after), let position = Int64(exactly: whole),
                whole.magnitude < 9_007_199_254_740_992
            {
                after = position
            } else {
                after = try members.decode(Int64.self, forKey: .after)
            }
            reason = try members.decodeIfPresent(String.self, forKey: .reason)
        }
    }

    /// One page of a listing.
    public struct Page<Item: Codable & Sendable>: Codable, Sendable {
        /// The service that answers.
        public var service: String
        /// What is on the page.
        public var items: [Item]
        /// The value of `after` for the next page; nil on the last one.
        @OrNull public var next: String?

    }

    /// A page of the audit.
    public typealias AuditPage = Page<AuditEntry>

    /// What waits in a service.
    ///
    /// Ages in seconds, nil when nothing waits.
    public struct Backlog: Codable, Sendable, Equatable {
        /// The service that answers.
        public var service: String
        /// Events that wait for the forwarder.
        public var unforwarded: Int
        /// Age of the oldest of them.
        @OrNull public var oldestUnforwardedAge: Double?
        /// Deliveries that wait for their next attempt.
        public var scheduled: Int
        /// Age of the oldest of them.
        @OrNull public var oldestScheduledAge: Double?
        /// Deliveries held behind an earlier one of their subject.
        public var held: Int
        /// Dead letters.
        public var dead: Int

    }

    /// Why an operation is done; the body of `retry`, `discard` and `restore`.
    public struct Reason: Codable, Sendable, Equatable {
        /// The reason, at most 1,000 characters; `discard` and `edit` demand one.
        public var reason: String?

        /// Makes the body of an operation.
        public init(reason: String?) {
            self.reason = reason
        }
    }
}
