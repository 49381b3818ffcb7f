/// A bad day of the courier that was asked for.
struct CourierFault: Sendable, Equatable {
    /// Whom it strikes.
    enum Call: String, Sendable, CaseIterable {
        case put
        case get
        case delete
        /// A webhook that is about to be sent.
        case webhook
    }

    /// What goes wrong.
    enum Kind: String, Sendable, CaseIterable {
        /// 503, and nothing is done.
        case unavailable
        /// 429 with `Retry-After`, and nothing is done.
        case rateLimit = "rate-limit"
        /// It is done, and the answer is 500.
        case errorAfter = "error-after"
        /// It is done, and never answered.
        case timeout
        /// It is done, and the answer is cut off.
        case reset
        /// It is done, and answered late; of a webhook: it is sent late, and so perhaps behind the next.
        case slow
        /// It is done, and the answer is about another shipment.
        case wrongID = "wrong-id"
        /// It is done, and the answer names another address.
        case wrongVersion = "wrong-version"
        /// The webhook is sent twice.
        case twice
        /// The webhook is never sent.
        case lost
        /// Beside the webhook comes one that is signed with another secret.
        case forged
        /// Beside the webhook comes one that was signed ten minutes ago.
        case old

        /// Whether it can strike that call.
        func strikes(_ call: Call) -> Bool {
            switch self {
            case .slow: true
            case .twice, .lost, .forged, .old: call == .webhook
            case .unavailable, .rateLimit, .errorAfter, .timeout, .reset, .wrongID, .wrongVersion: call != .webhook
            }
        }
    }

    let kind: Kind
    let delayMilliseconds: Int64
}

/// The courier's faults still to come, in order.
struct CourierFaultPlan: Sendable {
    private var planned: [CourierFault.Call: [(fault: CourierFault, remaining: Int)]] = [:]

    /// Plans a fault for the next `count` calls.
    mutating func plan(_ fault: CourierFault, for call: CourierFault.Call, count: Int) {
        planned[call, default: []].append((fault, count))
    }

    /// The fault that strikes this call, which is used up by it.
    mutating func next(_ call: CourierFault.Call) -> CourierFault? {
        guard var queue = planned[call], var first = queue.first else { return nil }
        first.remaining -= 1
        if first.remaining > 0 { queue[0] = first } else { queue.removeFirst() }
        planned[call] = queue
        return first.fault
    }
}
