extension OperationsAPI {
    /// A page of dead letters: newest first, or last changed first where `from` or `until` is given.
    public struct DeadLetterPage: Codable, Sendable, Equatable {
        /// The service that answers.
        public var service: String
        /// What is on the page.
        public var items: [DeadLetterSummary]
        /// The value of `after` for the next page; nil on the last one.
        public var next: String?
        /// False when the search ended at its bound before the page was full; `next` leads on.
        public var complete: Bool

        enum CodingKeys: String, CodingKey {
            case service
            case items
            case next
            case complete
        }

        /// Writes every member, `null` where there is no value.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(service, forKey: .service)
            try container.encode(items, forKey: .items)
            try container.encode(next, forKey: .next)
            try container.encode(complete, forKey: .complete)
        }
    }

    /// All groups.
    public struct DeadLetterGroups: Codable, Sendable, Equatable {
        /// The service that answers.
        public var service: String
        /// The groups, the largest first.
        public var items: [DeadLetterGroup]
        /// False when only the newest of those that match were counted.
        public var complete: Bool
    }

    /// Which dead letters an operation goes to; empty members do not count.
    public struct OperationFilter: Codable, Sendable, Equatable {
        /// One of these types.
        public var type: [String]
        /// This error class.
        public var error: String?
        /// The state: the one from which the action leads on.
        public var state: [String]
        /// This subject.
        public var subject: String?
        /// Last changed since.
        public var from: String?
        /// Last changed before.
        public var until: String?
        /// Part of the error message or the event id.
        public var text: String?

        enum CodingKeys: String, CodingKey {
            case type
            case error
            case state
            case subject
            case from
            case until
            case text
        }

        /// Writes every member, `null` where there is no value.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(type, forKey: .type)
            try container.encode(error, forKey: .error)
            try container.encode(state, forKey: .state)
            try container.encode(subject, forKey: .subject)
            try container.encode(from, forKey: .from)
            try container.encode(until, forKey: .until)
            try container.encode(text, forKey: .text)
        }
    }

    /// What is done to many dead letters.
    public struct Operation: Codable, Sendable, Equatable {
        /// The operation's id.
        public var id: String
        /// The service that does it.
        public var service: String
        /// `retry`, `discard` or `restore`.
        public var action: String
        /// `running`, `paused`, `cancelled` or `done`.
        public var state: String
        /// To which ones.
        public var filter: OperationFilter
        /// How many at most.
        public var limit: Int?
        /// How many a second at most.
        public var rate: Double?
        /// Seconds until the rate has its full height.
        public var ramp: Double?
        /// Who asked for it.
        public var actor: String
        /// Why.
        public var reason: String
        /// How many matched when it was asked for; nil until they are counted.
        public var total: Int?
        /// How many are done.
        public var done: Int
        /// How many could not be done.
        public var failed: Int
        /// When it was asked for.
        public var createdAt: String
        /// When it last made progress or changed its state.
        public var updatedAt: String
        /// When it ended.
        public var finishedAt: String?

        enum CodingKeys: String, CodingKey {
            case id
            case service
            case action
            case state
            case filter
            case limit
            case rate
            case ramp
            case actor
            case reason
            case total
            case done
            case failed
            case createdAt
            case updatedAt
            case finishedAt
        }

        /// Writes every member, `null` where there is no value.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(id, forKey: .id)
            try container.encode(service, forKey: .service)
            try container.encode(action, forKey: .action)
            try container.encode(state, forKey: .state)
            try container.encode(filter, forKey: .filter)
            try container.encode(limit, forKey: .limit)
            try container.encode(rate, forKey: .rate)
            try container.encode(ramp, forKey: .ramp)
            try container.encode(actor, forKey: .actor)
            try container.encode(reason, forKey: .reason)
            try container.encode(total, forKey: .total)
            try container.encode(done, forKey: .done)
            try container.encode(failed, forKey: .failed)
            try container.encode(createdAt, forKey: .createdAt)
            try container.encode(updatedAt, forKey: .updatedAt)
            try container.encode(finishedAt, forKey: .finishedAt)
        }
    }

    /// A page of operations, the latest first.
    public typealias OperationPage = Page<Operation>

    /// The answer to a dry run.
    public struct OperationPreview: Codable, Sendable, Equatable {
        /// The service that answers.
        public var service: String
        /// What would be done.
        public var action: String
        /// To how many.
        public var total: Int
        /// False when counting ended at its time before all were counted.
        public var complete: Bool
    }
}
