import Testing

@testable import Sandbox

/// What the sandbox's provider charges, declines, refuses and refunds.
@Suite("The sandbox's payment provider") struct SandboxProviderTests {
    private var state = ProviderState(series: "t")

    @Test("A confirmed intent with a good card is charged", arguments: [PaymentMethod.visa, .mastercard])
    mutating func charges(method: PaymentMethod) throws {
        var state = ProviderState(series: "t")
        let intent = try #require(state.createIntent(charge(method: method), key: "k", at: 5000).intent)
        #expect(intent.status == .succeeded)
        #expect(intent.amount == 1250)
        #expect(intent.currency == "eur")
        #expect(intent.created == 5)
        #expect(state.intent(intent.id, at: 6000).intent == intent)
    }

    @Test("A bad card is declined with its reason, and the intent waits for another one")
    mutating func declines() throws {
        let error = try #require(state.createIntent(charge(method: .insufficientFunds), key: "k", at: 0).error)
        #expect(error.status == 402)
        #expect(error.type == "card_error")
        #expect(error.code == "card_declined")
        #expect(error.declineCode == "insufficient_funds")
        let id = try #require(error.paymentIntent)
        let intent = try #require(state.intent(id, at: 0).intent)
        #expect(intent.status == .requiresPaymentMethod)
        #expect(intent.lastPaymentError?.declineCode == "insufficient_funds")
        #expect(state.ledger(at: 0).chargesByOrder.isEmpty)
    }

    @Test(
        "A parameter that is missing or wrong is named",
        arguments: [
            ("amount", nil, "parameter_missing"), ("amount", "", "parameter_missing"),
            ("amount", "12.5", "parameter_invalid_integer"), ("amount", "-5", "parameter_invalid_integer"),
            ("amount", "0", "amount_too_small"), ("amount", "100000000", "amount_too_large"),
            ("amount", "99999999999999999999", "parameter_invalid_integer"),
            ("currency", nil, "parameter_missing"), ("currency", "eurr", nil), ("currency", "xxx", nil),
            ("payment_method", nil, "parameter_missing"), ("payment_method", "pm_unknown", "resource_missing"),
            ("confirm", "yes", nil), ("surprise", "1", "parameter_unknown"),
        ] as [(String, String?, String?)]
    )
    mutating func validates(name: String, value: String?, code: String?) {
        var state = ProviderState(series: "t")
        var form = charge()
        form[name] = value
        let error = state.createIntent(form, key: "k", at: 0).error
        #expect(error?.status == 400)
        #expect(error?.type == "invalid_request_error")
        #expect(error?.param == name)
        #expect(error?.code == code)
        #expect(state.ledger(at: 0).intents.isEmpty)
    }

    @Test("An order's intents are found by its id, newest first, whatever characters the id has")
    mutating func searches() throws {
        let hostile = #"it's \ "quoted""#
        let one = try #require(state.createIntent(charge(order: hostile), key: "1", at: 0).intent)
        let two = try #require(state.createIntent(charge(order: hostile), key: "2", at: 0).intent)
        _ = state.createIntent(charge(), key: "3", at: 0)
        #expect(state.searchIntents(#"metadata['order_id']:'it\'s \\ "quoted"'"#, at: 0).intents == [two, one])
        #expect(state.searchIntents("metadata[\"order_id\"]:\"nobody\"", at: 0).intents == [])
        #expect(state.searchIntents("status:'canceled' AND metadata['order_id']:'order-1'", at: 0).intents == [])
    }

    @Test(
        "A search that is not understood is refused",
        arguments: ["", "metadata['order_id']", "metadata['order_id']:'x", "x OR y", "metadata['a']:'b' junk"]
    )
    func badSearch(query: String) {
        #expect(state.searchIntents(query, at: 0).error?.param == "query")
    }

    @Test("Only an intent that is not charged can be canceled")
    mutating func cancels() throws {
        let charged = try #require(state.createIntent(charge(), key: "1", at: 0).intent)
        #expect(
            state.cancelIntent(charged.id, [:], key: nil, at: 0).error?.code == "payment_intent_unexpected_state"
        )
        var form = charge()
        form["confirm"] = nil
        let open = try #require(state.createIntent(form, key: "2", at: 0).intent)
        #expect(open.status == .requiresConfirmation)
        #expect(state.cancelIntent(open.id, [:], key: nil, at: 0).intent?.status == .canceled)
        #expect(state.cancelIntent("pi_none", [:], key: nil, at: 0).error?.status == 404)
    }

    @Test("A charge is refunded once; after that it has already been refunded")
    mutating func refunds() throws {
        let intent = try #require(state.createIntent(charge(), key: "1", at: 0).intent)
        let refund = try #require(state.createRefund(["payment_intent": intent.id], key: "r1", at: 0).refund)
        #expect(refund.status == .succeeded)
        #expect(refund.amount == 1250)
        #expect(
            state.createRefund(["payment_intent": intent.id], key: "r2", at: 0).error?.code
                == "charge_already_refunded"
        )
        #expect(state.createRefund(["payment_intent": intent.id], key: "r1", at: 0).isReplayed)
        #expect(state.refunds(of: intent.id, at: 0).refunds == [refund])
        #expect(state.refund(refund.id, at: 0).refund == refund)
        #expect(state.refund("re_none", at: 0).error?.status == 404)
        #expect(state.ledger(at: 0).refundsByOrder == ["order-1": 1])
    }

    @Test("Parts of a charge can be refunded, never more than is left")
    mutating func partialRefunds() throws {
        let intent = try #require(state.createIntent(charge(), key: "1", at: 0).intent)
        let form = ["payment_intent": intent.id, "amount": "1000"]
        #expect(state.createRefund(form, key: "r1", at: 0).refund?.amount == 1000)
        #expect(state.createRefund(form, key: "r2", at: 0).error?.code == "amount_too_large")
        #expect(state.createRefund(["payment_intent": intent.id], key: "r3", at: 0).refund?.amount == 250)
    }

    @Test("What was never charged cannot be refunded")
    mutating func refundsOnlyCharges() throws {
        let error = try #require(state.createIntent(charge(method: .declined), key: "1", at: 0).error)
        let declined = try #require(error.paymentIntent)
        #expect(state.createRefund(["payment_intent": declined], key: nil, at: 0).error?.status == 400)
        #expect(
            state.createRefund(["payment_intent": "pi_none"], key: nil, at: 0).error?.code == "resource_missing"
        )
    }
}
