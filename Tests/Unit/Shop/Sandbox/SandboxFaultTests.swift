import Testing

@testable import Sandbox

/// The bad days that a payment method or the control API brings.
@Suite("The sandbox's faults") struct SandboxFaultTests {
    private var state = ProviderState(series: "t")

    @Test("error_once: the first call of an order fails before anything happened, the second charges")
    mutating func errorOnce() {
        let form = charge(method: .errorOnce)
        #expect(state.createIntent(form, key: "k", at: 0).error?.status == 500)
        #expect(state.ledger(at: 0).intents.isEmpty)
        #expect(state.createIntent(form, key: "k", at: 0).intent?.status == .succeeded)
        // Another order has a first call of its own.
        #expect(state.createIntent(charge(method: .errorOnce, order: "order-2"), key: "l", at: 0).error?.status == 500)
    }

    @Test(
        "timeout_once and reset_once: the card is charged, the answer does not arrive, the next call gets it",
        arguments: [
            (PaymentMethod.timeoutOnce, ProviderReply.Transmission.never), (.resetOnce, .cutOff),
        ]
    )
    mutating func lostAnswers(method: PaymentMethod, transmission: ProviderReply.Transmission) {
        var state = ProviderState(series: "t")
        let form = charge(method: method)
        let lost = state.createIntent(form, key: "k", at: 0)
        #expect(lost.transmission == transmission)
        #expect(state.ledger(at: 0).chargesByOrder == ["order-1": 1])
        let again = state.createIntent(form, key: "k", at: 1)
        #expect(again.transmission == .now)
        #expect(again.isReplayed)
        #expect(again.intent?.status == .succeeded)
        #expect(state.ledger(at: 1).chargesByOrder == ["order-1": 1])
    }

    @Test("slow: the intent is processing until its time has come, and cannot be canceled meanwhile")
    mutating func slow() throws {
        _ = state.createIntent(charge(method: .slow), key: "k", at: 0)
        let found = try #require(state.searchIntents("metadata['order_id']:'order-1'", at: 100).intents?.first)
        #expect(found.status == .processing)
        #expect(state.cancelIntent(found.id, [:], key: nil, at: 100).error?.status == 400)
        #expect(state.ledger(at: 2999).chargesByOrder.isEmpty)
        #expect(state.ledger(at: 3000).chargesByOrder == ["order-1": 1])
    }

    @Test("down: every call is refused and nothing is charged")
    mutating func down() {
        for _ in 1...3 {
            #expect(state.createIntent(charge(method: .down), key: "k", at: 0).error?.status == 503)
        }
        #expect(state.ledger(at: 0).intents.isEmpty)
    }

    @Test("A planned fault strikes as often as asked, before the method's own, until faults are cleared")
    mutating func planned() {
        state.plan(Fault(kind: .error, delayMilliseconds: 0), for: .charge, count: 2)
        state.plan(Fault(kind: .unavailable, delayMilliseconds: 0), for: .charge, count: 5)
        let statuses = (1...3).map { _ in state.createIntent(charge(), key: nil, at: 0).answer.status }
        #expect(statuses == [500, 500, 503])
        state.clearFaults()
        #expect(state.createIntent(charge(), key: nil, at: 0).answer.status == 200)
    }

    @Test("A planned refund fault leaves charges alone, and error-after refunds once under one key")
    mutating func refundFault() throws {
        state.plan(Fault(kind: .errorAfter, delayMilliseconds: 0), for: .refund, count: 1)
        let intent = try #require(state.createIntent(charge(), key: "k", at: 0).intent)
        let form = ["payment_intent": intent.id]
        #expect(state.createRefund(form, key: "r", at: 0).error?.status == 500)
        #expect(state.createRefund(form, key: "r", at: 0).error?.status == 500)
        #expect(state.createRefund(form, key: "other", at: 0).error?.code == "charge_already_refunded")
        #expect(state.listRefunds(["payment_intent": intent.id], at: 0).refunds?.map(\.status) == [.succeeded])
    }

    @Test("A pending refund is answered pending for ever under its key; a look-up shows when it succeeded")
    mutating func pendingRefund() throws {
        state.plan(Fault(kind: .pending, delayMilliseconds: 500), for: .refund, count: 1)
        let intent = try #require(state.createIntent(charge(), key: "k", at: 0).intent)
        let form = ["payment_intent": intent.id]
        let reply = state.createRefund(form, key: "r", at: 0)
        #expect(reply.refund?.status == .pending)
        #expect(reply.transmission == .now)
        #expect(state.createRefund(form, key: "r", at: 600).refund?.status == .pending)
        #expect(state.listRefunds(["payment_intent": intent.id], at: 499).refunds?.map(\.status) == [.pending])
        #expect(state.listRefunds(["payment_intent": intent.id], at: 500).refunds?.map(\.status) == [.succeeded])
    }
}
