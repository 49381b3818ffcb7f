/// What an operator does to many dead letters: to all that match a filter at the time of the request.
///
/// Times are milliseconds since 1970.
public struct DeadLetterOperation: Sendable, Equatable {
    /// Where an operation stands.
    ///
    ///     running ──▶ done
    ///      │   ▲ └──▶ cancelled
    ///      ▼   │          ▲
    ///     paused ─────────┘
    public enum State: String, Sendable, Codable, CaseIterable {
        /// It is at work, or goes on after the next start.
        case running
        /// It waits for an operator.
        case paused
        /// An operator ended it; what it had done stays done.
        case cancelled
        /// It has come to its end.
        case done
    }

    /// What is to be done.
    public struct Plan: Sendable, Equatable {
        /// What is done to each.
        public var action: DeadLetterAction
        /// To which ones; its states are those from which the action leads on.
        public var filter: DeadLetterFilter
        /// How many at most.
        public var limit: Int?
        /// How many a second at most.
        public var rate: Double?
        /// The time in which the rate grows from nothing to its full height, at the start and after each interruption.
        public var ramp: Duration?

        /// Makes a plan.
        public init(
            action: DeadLetterAction,
            filter: DeadLetterFilter,
            limit: Int? = nil,
            rate: Double? = nil,
            ramp: Duration? = nil
        ) {
            self.action = action
            self.filter = filter
            self.filter.states = [action.from]
            self.limit = limit
            self.rate = rate
            self.ramp = ramp
        }
    }

    /// The operation.
    public var id: Int64
    /// What is to be done.
    public var plan: Plan
    /// Who asked for it.
    public var actor: String
    /// Why.
    public var reason: String
    /// Where it stands.
    public var state: State
    /// How many matched when it was asked for; nil until they are counted.
    public var total: Int?
    /// How many it has gone through with success.
    public var done: Int
    /// How many it could not do: somebody else was quicker, or the dead letter does not allow it.
    public var failed: Int
    /// When it was asked for.
    public var createdAt: Int64
    /// When it last made progress or changed its state.
    public var updatedAt: Int64
    /// When it ended.
    public var finishedAt: Int64?

    /// Makes an operation.
    public init(
        id: Int64,
        plan: Plan,
        actor: String,
        reason: String,
        state: State,
        total: Int?,
        done: Int,
        failed: Int,
        createdAt: Int64,
        updatedAt: Int64,
        finishedAt: Int64? = nil
    ) {
        self.id = id
        self.plan = plan
        self.actor = actor
        self.reason = reason
        self.state = state
        self.total = total
        self.done = done
        self.failed = failed
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.finishedAt = finishedAt
    }

    /// Where an operator's order leads, or nil where it does not lead on.
    func state(after order: Order) -> State? {
        switch (order, state) {
        case (.pause, .running): .paused
        case (.resume, .paused): .running
        case (.cancel, .running), (.cancel, .paused): .cancelled
        default: nil
        }
    }

    /// An operator's order to an operation.
    public enum Order: String, Sendable, CaseIterable {
        /// It stops until it is resumed.
        case pause
        /// It goes on.
        case resume
        /// It ends where it is.
        case cancel
    }
}

/// Why an order to an operation was refused.
public enum DeadLetterOperationError: Error, Sendable, Equatable {
    /// There is no such operation.
    case notFound(Int64)
    /// The operation is in a state from which this order does not lead on.
    case wrongState(Int64, DeadLetterOperation.State)
}

/// How many may be done by now: so many a second, and fewer at first.
///
/// A pure value; the clock is passed in.
struct OperationPace: Sendable {
    /// How many a second; nil for any number.
    let rate: Double?
    /// Seconds until the rate has its full height.
    let ramp: Double

    init(_ plan: DeadLetterOperation.Plan) {
        rate = plan.rate
        ramp = plan.ramp.map { $0 / .seconds(1) } ?? 0
    }

    /// How many, that many seconds after the start.
    func allowance(after seconds: Double) -> Int {
        guard let rate else { return .max }
        let full = seconds < ramp ? seconds * seconds / (2 * ramp) : seconds - ramp / 2
        let number = rate * full
        return number < Double(Int.max / 2) ? Int(number) : .max
    }

    /// After how many seconds that many may be done.
    func seconds(until count: Int) -> Double {
        guard let rate, rate > 0 else { return 0 }
        let full = Double(count) / rate
        // Rounded up a little: a moment too early would find one too few.
        return (full < ramp / 2 ? (2 * ramp * full).squareRoot() : full + ramp / 2) + 0.001
    }
}
