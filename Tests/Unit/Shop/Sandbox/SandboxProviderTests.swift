import Testing

@testable import Sandbox

/// What the sandbox's provider charges, declines, refuses and refunds.
@Suite("The sandbox's payment provider") struct SandboxProviderTests {
    private var state = ProviderState(series: "t")

    @Test(
        "A confirmed intent with a good card is charged",
        arguments: [PaymentMethod.visa, .mastercard, .amex, .unionpay]
    )
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
            ("amount", "0", "amount_too_small"), ("amount", "49", "amount_too_small"),
            ("amount", "1000000000000", "amount_too_large"),
            ("amount", "99999999999999999999", "parameter_invalid_integer"),
            ("currency", nil, "parameter_missing"), ("currency", "eurr", nil), ("currency", "xxx", nil),
            ("payment_method", nil, "parameter_missing"), ("payment_method", "pm_unknown", "resource_missing"),
            ("confirm", "yes", nil), ("surprise", "1", "parameter_unknown"), ("customer", "cus_1", "parameter_unknown"),
            ("expand[]", "latest_charge", "parameter_unknown"), ("capture_method", "later", nil),
            ("off_session", "one_off", nil), ("error_on_requires_action", "1", nil),
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
        #expect(state.listRefunds(["payment_intent": intent.id], at: 0).refunds == [refund])
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

    @Test(
        "Stripe's test cards are declined with Stripe's codes, under their own names and as a Visa's",
        arguments: [
            ("chargeDeclined", "card_declined", "generic_decline"),
            ("chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
            ("chargeDeclinedLostCard", "card_declined", "lost_card"),
            ("chargeDeclinedStolenCard", "card_declined", "stolen_card"),
            ("chargeDeclinedFraudulent", "card_declined", "fraudulent"),
            ("chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
            ("chargeDeclinedExpiredCard", "expired_card", nil), ("chargeDeclinedIncorrectCvc", "incorrect_cvc", nil),
            ("chargeDeclinedProcessingError", "processing_error", nil),
        ] as [(String, String, String?)]
    )
    func declineCodes(name: String, code: String, decline: String?) {
        for prefix in ["pm_card_", "pm_card_visa_"] {
            var state = ProviderState(series: "t")
            let form = charge().merging(["payment_method": prefix + name]) { _, new in new }
            let error = state.createIntent(form, key: nil, at: 0).error
            #expect(error?.status == 402)
            #expect(error?.code == code)
            #expect(error?.declineCode == decline)
            #expect(error?.intent?.content.status == .requiresPaymentMethod)
            #expect(error?.intent?.content.metadata == ["order_id": "order-1"])
        }
    }

    @Test("A card that asks for its customer waits for one, or is declined where there is none")
    mutating func authentication() throws {
        let form = charge(method: .authenticationRequired)
        #expect(state.createIntent(form, key: nil, at: 0).intent?.status == .requiresAction)
        for name in ["error_on_requires_action", "off_session"] {
            let error = state.createIntent(form.merging([name: "true"]) { _, new in new }, key: nil, at: 0).error
            #expect(error?.code == "authentication_required")
            #expect(error?.status == 402)
        }
    }

    @Test("Money that is held is taken, in part or whole, or let go")
    mutating func manualCapture() throws {
        let form = charge().merging(["capture_method": "manual"]) { _, new in new }
        let held = try #require(state.createIntent(form, key: "1", at: 0).intent)
        #expect(held.status == .requiresCapture)
        #expect(held.amountReceived == 0)
        #expect(state.createRefund(["payment_intent": held.id], key: nil, at: 0).error?.status == 400)
        #expect(
            state.captureIntent(held.id, ["amount_to_capture": "1251"], key: nil, at: 0).error?.code
                == "amount_too_large"
        )
        #expect(state.captureIntent(held.id, ["final": "1"], key: nil, at: 0).error?.code == "parameter_unknown")
        let taken = state.captureIntent(held.id, ["amount_to_capture": "1000"], key: "c", at: 0).intent
        #expect(taken?.status == .succeeded)
        #expect(taken?.amountReceived == 1000)
        #expect(state.captureIntent(held.id, ["amount_to_capture": "1000"], key: "c", at: 0).isReplayed)
        #expect(state.captureIntent(held.id, [:], key: nil, at: 0).error?.code == "payment_intent_unexpected_state")
        #expect(state.createRefund(["payment_intent": held.id], key: nil, at: 0).refund?.amount == 1000)
        let other = try #require(state.createIntent(form, key: "2", at: 0).intent)
        #expect(state.cancelIntent(other.id, [:], key: nil, at: 0).intent?.status == .canceled)
        #expect(state.captureIntent(other.id, [:], key: nil, at: 0).error?.status == 400)
    }

    @Test("An intent is confirmed later, with another card after a decline")
    mutating func confirmation() throws {
        var form = charge(method: .insufficientFunds)
        let id = try #require(state.createIntent(form, key: "1", at: 0).error?.paymentIntent)
        #expect(state.confirmIntent(id, [:], key: nil, at: 0).error?.code == "parameter_missing")
        #expect(
            state.confirmIntent(id, ["payment_method": "pm_card_visa"], key: "c", at: 0).intent?.status == .succeeded
        )
        #expect(state.confirmIntent(id, ["payment_method": "pm_card_visa"], key: "c", at: 0).isReplayed)
        #expect(state.confirmIntent(id, [:], key: nil, at: 0).error?.code == "payment_intent_unexpected_state")
        form["confirm"] = nil
        let open = try #require(state.createIntent(form, key: "2", at: 0).intent)
        #expect(state.confirmIntent(open.id, [:], key: nil, at: 0).error?.declineCode == "insufficient_funds")
        #expect(state.ledger(at: 0).chargesByOrder == ["order-1": 1])
    }

    @Test(
        "An amount keeps to its currency: steps, least and most",
        arguments: [
            ("isk", "5000", nil), ("isk", "5050", "invalid_charge_amount_no_decimal_compatible"),
            ("ugx", "150", "invalid_charge_amount_no_decimal_compatible"), ("kwd", "5120", nil), ("kwd", "5124", ""),
            ("huf", "17500", nil), ("huf", "17499", "amount_too_small"), ("gbp", "30", nil),
            ("gbp", "29", "amount_too_small"), ("jpy", "50", nil), ("jpy", "49", "amount_too_small"),
            ("mga", "1", nil), ("eur", "999999999999", nil), ("eur", "1000000000000", "amount_too_large"),
        ] as [(String, String, String?)]
    )
    func amounts(currency: String, amount: String, code: String?) {
        var state = ProviderState(series: "t")
        let form = charge(amount: amount).merging(["currency": currency]) { _, new in new }
        let reply = state.createIntent(form, key: nil, at: 0)
        guard let code else {
            #expect(reply.intent?.status == .succeeded)
            return
        }
        #expect(reply.error?.param == "amount")
        #expect(reply.error?.code ?? "" == code)
    }

    @Test("American Express takes nine digits")
    mutating func amex() {
        #expect(state.createIntent(charge(amount: "999999999", method: .amex), key: nil, at: 0).intent != nil)
        let error = state.createIntent(charge(amount: "1000000000", method: .amex), key: nil, at: 0).error
        #expect(error?.code == "amount_too_large")
    }

    @Test("A refund of such a card is pending first, and of another fails later and gives its amount free again")
    mutating func refundMethods() throws {
        let slow = try #require(state.createIntent(charge(method: .pendingRefund), key: nil, at: 0).intent)
        let pending = try #require(state.createRefund(["payment_intent": slow.id], key: nil, at: 0).refund)
        #expect(pending.status == .pending)
        #expect(state.refund(pending.id, at: 2999).refund?.status == .pending)
        #expect(state.refund(pending.id, at: 3000).refund?.status == .succeeded)
        let broken = try #require(state.createIntent(charge(method: .refundFail), key: nil, at: 0).intent)
        let failing = try #require(state.createRefund(["charge": broken.charge], key: nil, at: 0).refund)
        #expect(failing.status == .succeeded)
        #expect(failing.charge == broken.latestCharge)
        #expect(state.refund(failing.id, at: 3000).refund?.status == .failed)
        #expect(
            state.createRefund(["payment_intent": broken.id], key: nil, at: 2999).error?.code
                == "charge_already_refunded"
        )
        #expect(state.createRefund(["payment_intent": broken.id], key: nil, at: 3000).refund != nil)
    }

    @Test("Lists and searches come in pages, newest first, and say whether there is more")
    mutating func pages() throws {
        let all = try (0..<25).map { try #require(state.createIntent(charge(), key: "\($0)", at: 0).intent).id }
        let newest = Array(all.reversed())
        func ids(_ reply: ProviderReply) -> [String]? { reply.intents?.map(\.id) }
        #expect(ids(state.listIntents([:], at: 0)) == Array(newest[..<10]))
        #expect(state.listIntents([:], at: 0).hasMore == true)
        let last = state.listIntents(["limit": "10", "starting_after": newest[14]], at: 0)
        #expect(ids(last) == Array(newest[15...]))
        #expect(last.hasMore == false)
        #expect(ids(state.listIntents(["limit": "2", "ending_before": newest[5]], at: 0)) == Array(newest[3...4]))
        let query = ["query": "metadata['order_id']:'order-1'", "limit": "20"]
        #expect(state.searchIntents(query, at: 0).hasMore == true)
        let rest = state.searchIntents(query.merging(["page": newest[19]]) { _, new in new }, at: 0)
        #expect(ids(rest) == Array(newest[20...]))
        for (name, value) in [("limit", "0"), ("limit", "101"), ("limit", "x"), ("starting_after", "pi_none")] {
            #expect(state.listIntents([name: value], at: 0).error?.param == name)
        }
        #expect(state.listIntents(["customer": "cus_1"], at: 0).error?.code == "parameter_unknown")
        #expect(state.listRefunds(["metadata[a]": "1"], at: 0).error?.code == "parameter_unknown")
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
