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
    /// A fault for the next `count` calls of an operation.
    case plan(Fault, for: Fault.Operation, count: Int)
    /// No planned faults any more.
    case clearFaults
}

extension ProviderState {
    /// Carries out a call; nil where the provider's own API has no answer to it.
    @discardableResult
    mutating func apply(_ call: ProviderCall, at now: Int64) -> ProviderReply? {
        switch call {
        case .createIntent(let form, let key): return createIntent(form, key: key, at: now)
        case .confirmIntent(let id, let form, let key): return confirmIntent(id, form, key: key, at: now)
        case .captureIntent(let id, let form, let key): return captureIntent(id, form, key: key, at: now)
        case .cancelIntent(let id, let form, let key): return cancelIntent(id, form, key: key, at: now)
        case .createRefund(let form, let key): return createRefund(form, key: key, at: now)
        case .plan(let fault, let operation, let count): plan(fault, for: operation, count: count)
        case .clearFaults: clearFaults()
        }
        return nil
    }
}
