import Testing

@testable import Sandbox

/// Stripe's rules for idempotency keys, as the sandbox keeps them.
@Suite("The sandbox's idempotency keys") struct SandboxIdempotencyTests {
    private var state = ProviderState(series: "t")
    private let key = "charge:order-1"

    @Test("The same key again is answered with the first answer, and nothing is charged again")
    mutating func replays() {
        let first = state.createIntent(charge(), key: key, at: 0)
        let second = state.createIntent(charge(), key: key, at: 1000)

        #expect(!first.isReplayed)
        #expect(second.isReplayed)
        #expect(second.answer == first.answer)
        #expect(state.ledger(at: 2000).chargesByOrder == ["order-1": 1])
    }

    @Test("Another key charges again: the sandbox does not protect a client that changes its key")
    mutating func otherKeyChargesAgain() {
        _ = state.createIntent(charge(), key: "one", at: 0)
        _ = state.createIntent(charge(), key: "two", at: 0)
        #expect(state.ledger(at: 0).chargesByOrder == ["order-1": 2])
    }

    @Test("Without a key every call charges")
    mutating func withoutKey() {
        _ = state.createIntent(charge(), key: nil, at: 0)
        _ = state.createIntent(charge(), key: nil, at: 0)
        #expect(state.ledger(at: 0).chargesByOrder == ["order-1": 2])
    }

    @Test("The same key with other parameters is refused")
    mutating func otherParameters() {
        _ = state.createIntent(charge(), key: key, at: 0)
        let other = state.createIntent(charge(amount: "999"), key: key, at: 0)
        #expect(other.error == .otherParameters)
        #expect(other.error?.status == 400)
        #expect(other.error?.type == "idempotency_error")
    }

    @Test("The same key for another call is refused")
    mutating func otherCall() throws {
        let intent = try #require(state.createIntent(charge(), key: key, at: 0).intent)
        #expect(state.createRefund(["payment_intent": intent.id], key: key, at: 0).error == .otherParameters)
    }

    @Test("While the first call is running the key is in use, and afterwards its answer is replayed")
    mutating func inFlight() {
        let form = charge(method: .slow)
        let first = state.createIntent(form, key: key, at: 0)
        #expect(first.transmission == .at(3000))
        let during = state.createIntent(form, key: key, at: 2999)
        #expect(during.error == .keyInUse)
        #expect(during.error?.status == 409)
        #expect(during.error?.code == "idempotency_key_in_use")
        let after = state.createIntent(form, key: key, at: 3000)
        #expect(after.isReplayed)
        #expect(after.answer == first.answer)
        #expect(state.ledger(at: 3000).chargesByOrder == ["order-1": 1])
    }

    @Test("A decline is replayed like any other first answer")
    mutating func declineIsReplayed() {
        let form = charge(method: .declined)
        let first = state.createIntent(form, key: key, at: 0)
        #expect(first.error?.status == 402)
        let second = state.createIntent(form, key: key, at: 0)
        #expect(second.isReplayed)
        #expect(second.answer == first.answer)
    }

    @Test("A 500 after the work is replayed for its key, though the charge was made")
    mutating func errorAfterIsReplayed() {
        let form = charge(method: .errorAfterOnce)
        #expect(state.createIntent(form, key: key, at: 0).error?.status == 500)
        let second = state.createIntent(form, key: key, at: 1)
        #expect(second.isReplayed)
        #expect(second.error?.status == 500)
        #expect(state.searchIntents("metadata['order_id']:'order-1'", at: 2).intents?.map(\.status) == [.succeeded])
    }

    @Test(
        "What was refused before any work leaves the key free",
        arguments: [Fault.Kind.error, .unavailable, .rateLimit]
    )
    mutating func refusalsAreNotKept(kind: Fault.Kind) {
        var state = ProviderState(series: "t")
        state.plan(Fault(kind: kind, delayMilliseconds: 0), for: .charge, count: 1)
        #expect((state.createIntent(charge(), key: key, at: 0).error?.status ?? 0) >= 429)
        let second = state.createIntent(charge(), key: key, at: 0)
        #expect(!second.isReplayed)
        #expect(second.intent?.status == .succeeded)
    }

    @Test("Refused parameters leave the key free")
    mutating func invalidParametersAreNotKept() {
        #expect(state.createIntent(charge(amount: "-1"), key: key, at: 0).error?.status == 400)
        #expect(state.createIntent(charge(), key: key, at: 0).intent?.status == .succeeded)
    }

    @Test("A key is forgotten after 24 hours, not before")
    mutating func expires() {
        _ = state.createIntent(charge(), key: key, at: 0)
        #expect(state.createIntent(charge(), key: key, at: IdempotencyTable.lifetime - 1).isReplayed)
        #expect(!state.createIntent(charge(), key: key, at: IdempotencyTable.lifetime).isReplayed)
    }

    @Test("A key longer than 255 characters is refused")
    mutating func longKey() {
        let reply = state.createIntent(charge(), key: String(repeating: "k", count: 256), at: 0)
        #expect(reply.error?.status == 400)
        #expect(state.createIntent(charge(), key: String(repeating: "k", count: 255), at: 0).intent != nil)
    }
}

/// The form of a charge of 12.50 EUR for order-1.
func charge(amount: String = "1250", method: PaymentMethod = .visa, order: String = "order-1") -> [String: String] {
    [
        "amount": amount, "currency": "eur", "payment_method": method.rawValue, "confirm": "true",
        "metadata[order_id]": order,
    ]
}

extension ProviderReply {
    var error: ProviderError? {
        if case .error(let error) = answer { error } else { nil }
    }
    var intent: PaymentIntent? {
        if case .intent(let intent) = answer { intent } else { nil }
    }
    var intents: [PaymentIntent]? {
        switch answer {
        case .intents(let intents, _), .found(let intents, _): intents
        default: nil
        }
    }
    var refund: Sandbox.Refund? {
        if case .refund(let refund) = answer { refund } else { nil }
    }
    var refunds: [Sandbox.Refund]? {
        if case .refunds(let refunds, _) = answer { refunds } else { nil }
    }
    /// Whether there is more than the page that is answered.
    var hasMore: Bool? {
        switch answer {
        case .intents(_, let hasMore), .found(_, let hasMore), .refunds(_, let hasMore): hasMore
        default: nil
        }
    }
}

extension ProviderState {
    func searchIntents(_ query: String, at now: Int64) -> ProviderReply { searchIntents(["query": query], at: now) }
}
