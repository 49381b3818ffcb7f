extension OperationsAPI {
    /// A page of dead letters: newest first, or last changed first where `from` or `until` is given.
    public struct DeadLetterPage: Codable, Sendable, Equatable {
        /// The service that answers.
        public var service: String
        /// What is on the page.
        public var items: [DeadLetterSummary]
        /// The value of `after` for the next page; nil on the last one.
        @OrNull public var next: String?
        /// False when the search ended at its bound before the page was full; `next` leads on.
        public var complete: Bool

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
        @OrNull public var error: String?
        /// The state: the one from which the action leads on.
        public var state: [String]
        /// This subject.
        @OrNull public var subject: String?
        /// Last changed since.
        @OrNull public var from: String?
        /// Last changed before.
        @OrNull public var until: String?
        /// Part of the error message or the event id.
        @OrNull public var text: String?

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
        @OrNull public var limit: Int?
        /// How many a second at most.
        @OrNull public var rate: Double?
        /// Seconds until the rate has its full height.
        @OrNull public var ramp: Double?
        /// Who asked for it.
        public var actor: String
        /// Why.
        public var reason: String
        /// How many matched when it was asked for; nil until they are counted.
        @OrNull public var total: Int?
        /// How many are done.
        public var done: Int
        /// How many could not be done.
        public var failed: Int
        /// When it was asked for.
        public var createdAt: String
        /// When it last made progress or changed its state.
        public var updatedAt: String
        /// When it ended.
        @OrNull public var finishedAt: String?

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
