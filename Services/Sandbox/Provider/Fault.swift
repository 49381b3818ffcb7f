/// A misbehaviour of the outside world that was asked for.
struct Fault: Sendable, Equatable, Codable {
    /// The call that it strikes.
    enum Operation: String, Sendable, Codable, CaseIterable {
        case charge
        case refund
        /// A record for the data platform.
        case record
        /// A webhook of the payment provider's.
        case webhook
        /// A search for payment intents.
        case search

        /// What can go wrong with it.
        var kinds: [Kind] {
            switch self {
            case .charge, .refund, .record: Kind.allCases.filter { ![.twice, .forged, .lag].contains($0) }
            case .webhook: [.slow, .twice, .forged]
            case .search: [.lag]
            }
        }
    }

    /// What goes wrong.
    enum Kind: String, Sendable, Codable, CaseIterable {
        /// 500 before anything happened; not kept for the idempotency key.
        case error
        /// The work is done and the answer is 500, which the idempotency key replays.
        case errorAfter = "error-after"
        /// The work is done and kept for the idempotency key; this call is never answered.
        case timeout
        /// The work is done and kept for the idempotency key; this call's answer is cut off.
        case reset
        /// The work takes its time; the idempotency key is in use until then.
        case slow
        /// 503 before anything happened; not kept.
        case unavailable
        /// 429 before anything happened; not kept.
        case rateLimit = "rate-limit"
        /// A refund is answered `pending` and succeeds later; to others the same as `slow`.
        case pending
        /// A refund is answered `pending` and fails later; to others the same as `slow`.
        case failing
        /// A webhook comes twice.
        case twice
        /// A webhook is signed with another secret; the true one never comes.
        case forged
        /// The search does not find what is younger than the delay, until the fault is cleared.
        case lag
    }

    /// What goes wrong.
    let kind: Kind
    /// For `slow`, `pending`, `failing` and `lag`: how long the work takes.
    let delayMilliseconds: Int64
}

/// The faults still to come: those that the control API asked for, in order, and those that payment methods bring.
struct FaultPlan: Sendable {
    /// How long slow work takes when nothing else was said.
    static let standardDelay: Int64 = 3000

    private var planned: [Fault.Operation: [Planned]] = [:]
    private var struck: Set<Strike> = []

    private struct Planned: Sendable {
        let fault: Fault
        var remaining: Int
    }

    private struct Strike: Hashable, Sendable {
        let method: PaymentMethod
        let order: String
    }

    /// Plans a fault for the next `count` calls of an operation that reach the provider's work.
    mutating func plan(_ fault: Fault, for operation: Fault.Operation, count: Int) {
        guard count > 0 else { return }
        planned[operation, default: []].append(Planned(fault: fault, remaining: count))
    }

    /// Forgets the planned faults; those of payment methods stay.
    mutating func clear() {
        planned = [:]
    }

    /// The fault that strikes this call, which is used up by it.
    mutating func next(_ operation: Fault.Operation) -> Fault? {
        guard var queue = planned[operation], var first = queue.first else { return nil }
        first.remaining -= 1
        if first.remaining > 0 {
            queue[0] = first
        } else {
            queue.removeFirst()
        }
        planned[operation] = queue
        return first.fault
    }

    /// The fault that strikes a charge of an order: a planned one, or the payment method's own.
    mutating func next(charging method: PaymentMethod, order: String) -> Fault? {
        if let fault = next(.charge) { return fault }
        guard let kind = method.fault else { return nil }
        if method.failsOnce, !struck.insert(Strike(method: method, order: order)).inserted { return nil }
        return Fault(kind: kind, delayMilliseconds: Self.standardDelay)
    }
}
