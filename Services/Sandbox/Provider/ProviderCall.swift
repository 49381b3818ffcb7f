/// A call that may change the provider: all that its state follows from, together with the time.
enum ProviderCall: Sendable, Equatable, Codable {
    /// `POST /v1/payment_intents`.
    case createIntent(form: [String: String], key: String?)
    /// `POST /v1/payment_intents/{id}/confirm`.
    case confirmIntent(id: String, form: [String: String], key: String?)
    /// `POST /v1/payment_intents/{id}/capture`.
    case captureIntent(id: String, form: [String: String], key: String?)
    /// `POST /v1/payment_intents/{id}/cancel`.
    case cancelIntent(id: String, form: [String: String], key: String?)
    /// `POST /v1/refunds`.
    case createRefund(form: [String: String], key: String?)
    /// A refund that somebody makes in the provider's dashboard.
    case refundByHand(form: [String: String])
    /// A refund that had succeeded fails.
    case failRefund(id: String)
    /// A customer contests a charge.
    case openDispute(form: [String: String])
    /// The bank has decided.
    case closeDispute(id: String, form: [String: String])
    /// The search is so many milliseconds behind.
    case lagSearch(milliseconds: Int64)
    /// A fault for the next `count` calls of an operation.
    case plan(Fault, for: Fault.Operation, count: Int)
    /// No planned faults any more.
    case clearFaults
}

extension ProviderState {
    /// Carries out a call; nil where the provider's own API has no answer to it.
    @discardableResult
    mutating func apply(_ call: ProviderCall, at now: Int64) -> ProviderReply? {
        settle(at: now)
        switch call {
        case .createIntent(let form, let key): return createIntent(form, key: key, at: now)
        case .confirmIntent(let id, let form, let key): return confirmIntent(id, form, key: key, at: now)
        case .captureIntent(let id, let form, let key): return captureIntent(id, form, key: key, at: now)
        case .cancelIntent(let id, let form, let key): return cancelIntent(id, form, key: key, at: now)
        case .createRefund(let form, let key): return createRefund(form, key: key, at: now)
        case .refundByHand(let form): return refundByHand(form, at: now)
        case .failRefund(let id): return failRefund(id, at: now)
        case .openDispute(let form): return openDispute(form, at: now)
        case .closeDispute(let id, let form): return closeDispute(id, form, at: now)
        case .lagSearch(let milliseconds): lagSearch(by: milliseconds)
        case .plan(let fault, let operation, let count): plan(fault, for: operation, count: count)
        case .clearFaults: clearFaults()
        }
        return nil
    }
}
