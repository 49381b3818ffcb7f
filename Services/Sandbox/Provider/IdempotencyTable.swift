/// The first answers under their idempotency keys (Stripe, "Idempotent requests").
///
/// - The first answer of a key, an error of the work itself included, is replayed for 24 hours.
/// - The same key with other parameters is refused, and so is one whose first call is still running.
/// - Answers of calls whose work never began (refused parameters, 429, 503) are not kept: the caller does not store them.
struct IdempotencyTable: Sendable {
    /// What identifies a call: what it does and with which parameters.
    struct Call: Sendable, Equatable {
        let path: String
        let parameters: [String: String]
    }

    /// What the table says of a call.
    enum Verdict: Sendable, Equatable {
        case fresh
        case replay(ProviderAnswer)
        case otherParameters
        case inUse
    }

    private struct Record: Sendable {
        let call: Call
        let answer: ProviderAnswer
        let readyAt: Int64
        let expiresAt: Int64
    }

    /// How long a key is kept, in milliseconds.
    static let lifetime: Int64 = 24 * 60 * 60 * 1000
    /// Expired keys are removed whenever this many have come in.
    private static let sweepInterval = 1024

    private var records: [String: Record] = [:]
    private var insertions = 0

    /// What becomes of a call under `key`.
    func verdict(on call: Call, key: String, at now: Int64) -> Verdict {
        guard let record = records[key], record.expiresAt > now else { return .fresh }
        guard record.call == call else { return .otherParameters }
        return record.readyAt > now ? .inUse : .replay(record.answer)
    }

    /// Keeps the first answer of a key; until `readyAt` the key is in use.
    mutating func keep(_ answer: ProviderAnswer, of call: Call, key: String, readyAt: Int64, now: Int64) {
        insertions += 1
        if insertions.isMultiple(of: Self.sweepInterval) {
            records = records.filter { $0.value.expiresAt > now }
        }
        records[key] = Record(call: call, answer: answer, readyAt: readyAt, expiresAt: now + Self.lifetime)
    }
}
