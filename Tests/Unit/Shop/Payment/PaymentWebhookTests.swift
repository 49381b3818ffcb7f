import HTTP
import ShopEvents
import Testing

@testable import Payment
@testable import Sandbox

/// What the provider tells by webhook: first, late, twice, in any order, or made up by somebody else.
@Suite("The provider's webhooks at Payment", .timeLimit(.minutes(5))) struct PaymentWebhookTests {
    @Test("A webhook is written down before it is answered; the same one again does nothing")
    func twice() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            let body = try #require(try desk.providerEvents().last)
            #expect(await desk.webhook(body).status == 202)
            #expect(try await desk.scheduled().count == 1)
            let again = await desk.webhook(body)
            #expect(again.status == 200)
            #expect(String(decoding: again.body, as: UTF8.self).contains(#""duplicate":true"#))
            #expect(try await desk.scheduled().count == 1)
        }
    }

    @Test(
        "A webhook that nobody signed, or somebody else, or long ago, or that was changed, is refused and leaves nothing"
    )
    func forged() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            let body = try #require(try desk.providerEvents().last)
            #expect(await desk.webhook(body, signedWith: nil).status == 400)
            #expect(await desk.webhook(body, signedWith: "whsec_other").status == 400)
            #expect(await desk.webhook(body, seconds: 301).status == 400)
            #expect(await desk.webhook(body, seconds: -301).status == 400)
            #expect(try await desk.scheduled().isEmpty)
            #expect(await desk.webhook(body, seconds: 299).status == 202)
        }
    }

    @Test("Without a secret no webhook is taken, not even one that is signed with nothing")
    func emptySecret() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            let body = try #require(try desk.providerEvents().last)
            for secret in [nil, "", PaymentDesk.secret] {
                let answer = await desk.webhook(body, signedWith: secret, known: "")
                #expect(answer.status == 503)
                #expect(String(decoding: answer.body, as: UTF8.self).contains("/problems/webhooks-off"))
            }
            #expect(try await desk.scheduled().isEmpty)
        }
    }

    @Test(
        "What is signed and of no concern is taken and forgotten; what is signed and no event is refused",
        arguments: [
            (#"{"id":"evt_1","type":"customer.created","data":{"object":{"object":"customer","id":"cus_1"}}}"#, 200),
            (#"{"id":"evt_1","type":"payout.paid","data":{"object":{"object":"payment_intent","id":"pi_1"}}}"#, 200),
            (
                #"{"id":"evt_1","type":"payment_intent.created","data":{"object":{"object":"payment_intent","id":"pi_1"}}}"#,
                200
            ),
            (#"{"id":"evt 1","type":"refund.updated","data":{"object":{"object":"refund"}}}"#, 422),
            (#"{"type":"refund.updated","data":{"object":{}}}"#, 422), (#"{"id":"#, 400), ("", 400),
        ]
    )
    func others(text: String, status: Int) async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(await desk.webhook(Array(text.utf8)).status == status)
            #expect(try await desk.scheduled().isEmpty)
        }
    }

    @Test("The webhook of a charge comes before its answer: it is captured and told once")
    func beforeTheAnswer() async throws {
        try await PaymentDesk.open { desk async throws in
            desk.hooks.set { hooks in
                hooks.afterCharge = { [unowned desk] in
                    let endings = try await desk.follow(desk.providerEvents())
                    #expect(endings.allSatisfy { $0 == .done })
                    #expect(try await desk.payment()?.state == .captured)
                }
            }
            #expect(try await desk.request() == .done)
            #expect(try await desk.told() == ["captured"])
            #expect(try await desk.balances() == ["provider": 1250, "sales": -1250])
        }
    }

    @Test("The answer never came, and the search is behind: the webhook alone brings the charge to light")
    func insteadOfTheAnswer() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(crashing: true) == .crashed)
            _ = desk.atProvider { state, now in
                state.apply(.lagSearch(milliseconds: 60_000), at: now)
                return ProviderReply(.error(.failed))
            }
            #expect(try await desk.follow(desk.providerEvents()).contains(.done))
            #expect(try await desk.told() == ["captured"])
            #expect(try await desk.request() == .done)
            #expect(desk.moved() == [1, 0])
        }
    }

    @Test("A webhook of an order that has no payment here comes again; one of nobody's order is done with")
    func unknownPayment() async throws {
        try await PaymentDesk.open { desk async throws in
            let form = ["amount": "1250", "currency": "eur", "payment_method": "pm_card_visa", "confirm": "true"]
            _ = desk.atProvider { $0.createIntent(form, key: nil, at: $1) }
            #expect(try await desk.follow(desk.providerEvents()) == [.done])
            let other = form.merging(["metadata[order_id]": "order-1"]) { $1 }
            _ = desk.atProvider { $0.createIntent(other, key: nil, at: $1) }
            let body = try #require(try desk.providerEvents().last)
            #expect(try await desk.follow([body]) == [.transient("payment.unknown-payment")])
            #expect(try await desk.payment() == nil)
        }
    }

    @Test("A late word of failure does not overturn a payment that is captured")
    func lateFailure() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            let paymentID = try #require(try await desk.payment()?.paymentID)
            for what in ["payment_intent.payment_failed", "payment_intent.canceled", "refund.failed"] {
                #expect(try await desk.notice(what, intent: paymentID) == .done)
            }
            #expect(try await desk.payment()?.state == .captured)
            #expect(try await desk.told() == ["captured"])
        }
    }

    @Test("Of a charge that is known a word about the charge asks the provider nothing; one about its money does")
    func knownCharge() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            let intent = try #require(try await desk.payment()?.paymentID)
            let books = ClosedBooks()
            #expect(try await desk.notice("payment_intent.succeeded", intent: intent, books: books) == .done)
            let looked = try await desk.notice("refund.updated", intent: intent, books: books)
            #expect(looked == .permanent("payment.provider-contradiction"))
        }
    }

    @Test("Another intent of the order failed; the one that is charged decides")
    func otherIntentFailed() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(crashing: true) == .crashed)
            let form = [
                "amount": "1250", "currency": "eur", "payment_method": "pm_card_chargeDeclined", "confirm": "true",
                "metadata[order_id]": "order-1",
            ]
            _ = desk.atProvider { $0.createIntent(form, key: nil, at: $1) }
            let failed = try #require(try desk.providerEvents().last)
            #expect(try await desk.follow([failed]) == [.done])
            #expect(try await desk.told() == ["captured"])
        }
    }

    @Test("A decline whose answer never came is told by its webhook")
    func declined() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(method: .insufficientFunds, crashing: true) == .crashed)
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told() == ["declined"])
            #expect(try await desk.payment()?.declineReason == "insufficient_funds")
            #expect(try await desk.request(method: .insufficientFunds) == .done)
            #expect(try await desk.told() == ["declined"])
        }
    }

    @Test("A charge that comes to light by its webhook after the payment had been called off is given back, once")
    func lateCharge() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(crashing: true) == .crashed)
            // Its key is forgotten and the search is blind: the provider looks as if it had never been asked.
            desk.hooks.set { hooks in (hooks.isLookUpBlind, hooks.isKeyForgotten) = (true, true) }
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.told() == ["voided"])
            desk.hooks.set { hooks in (hooks.isLookUpBlind, hooks.isKeyForgotten) = (false, false) }
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told() == ["voided", "captured", "refunded"])
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.balances().isEmpty)
        }
    }
}

/// Books that nobody may look into.
private struct ClosedBooks: ProviderBooks {
    private var closed: ProviderFailure { .contradiction("the books are closed") }

    func order(ofIntent id: String) async throws -> String? { throw closed }
    func charge(of payment: Payment, intent id: String) async throws -> ChargeStatus { throw closed }
    func refunds(of payment: Payment, paymentID: String) async throws -> [ProviderObject] { throw closed }
    func find(_ kind: ProviderObject.Kind, _ id: String) async throws -> ProviderObject? { throw closed }
    func all(_ kind: ProviderObject.Kind, from start: Int64, to end: Int64) async throws -> [ProviderObject] {
        throw closed
    }
}

/// What goes back to customers without, before or against Payment's own doing.
@Suite("Refunds and disputes from outside", .timeLimit(.minutes(5))) struct PaymentDashboardTests {
    @Test("The webhook of a refund comes before the refund's own commit: nothing is refunded twice")
    func refundBeforeItsCommit() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            #expect(try await desk.cancel(crashing: true) == .crashed)
            #expect(try await desk.payment()?.state == .refunding)
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told() == ["captured", "refunded"])
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.told() == ["captured", "refunded"])
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.balances().isEmpty)
        }
    }

    @Test("A notice of a refund that is not made yet makes none: whose deed it is, does it")
    func noRefundYet() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            desk.plan(.error, for: .refund)
            #expect(try await desk.cancel() == .transient("payment.provider-unavailable"))
            let paymentID = try #require(try await desk.payment()?.paymentID)
            #expect(try await desk.notice("refund.created", intent: paymentID) == .done)
            #expect(desk.moved() == [1, 0])
            #expect(try await desk.cancel() == .done)
            #expect(desk.moved() == [1, 1])
        }
    }

    @Test("A refund that had succeeded fails days later: an operator's, who refunds it again; nobody is told anew")
    func refundFailsLater() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request(method: .refundFail)
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.told() == ["captured", "refunded"])
            try await desk.follow(desk.providerEvents())
            desk.wait(milliseconds: 3_000)
            let failed = try #require(try desk.providerEvents().last)
            #expect(try await desk.follow([failed]) == [.permanent("payment.refund-failed")])
            #expect(try await desk.balances() == ["provider": 1250, "sales": -1250])
            let paymentID = try #require(try await desk.payment()?.paymentID)
            _ = desk.atProvider { $0.createRefund(["payment_intent": paymentID], key: nil, at: $1) }
            // The retry of the dead letter looks again.
            #expect(try await desk.notice("refund.failed", intent: paymentID) == .done)
            #expect(try await desk.balances().isEmpty)
            #expect(try await desk.told() == ["captured", "refunded"])
            #expect(try await desk.payment()?.state == .refunded)
        }
    }

    @Test("All of a payment is refunded in the dashboard, in two parts: the order hears when all is back")
    func dashboardRefund() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            _ = desk.atProvider { $0.refundByHand(["order": "order-1", "amount": "500"], at: $1) }
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told() == ["captured"])
            #expect(try await desk.balances() == ["provider": 750, "sales": -750])
            _ = desk.atProvider { $0.refundByHand(["order": "order-1"], at: $1) }
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told() == ["captured", "refunded"])
            #expect(try await desk.balances().isEmpty)
            // The order is cancelled after that: there is nothing left to give back.
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.told() == ["captured", "refunded"])
        }
    }

    @Test(
        "A part is refunded in the dashboard and then the order is cancelled: the rest goes back, and the books know both"
    )
    func partThenCancelled() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            _ = desk.atProvider { $0.refundByHand(["order": "order-1", "amount": "500"], at: $1) }
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.told() == ["captured", "refunded"])
            #expect(try await desk.balances().isEmpty)
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.reconciliation().differences == [])
        }
    }

    @Test(
        "A dispute is told when it opens and when it is decided, once each, whatever comes twice or late",
        arguments: ["won", "lost"]
    )
    func disputes(verdict: String) async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            let id = try openDispute(at: desk)
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told() == ["captured", "disputed"])
            #expect(try await desk.balances() == ["disputed": 1250, "sales": -1250])
            _ = desk.atProvider { $0.closeDispute(id, ["status": verdict], at: $1) }
            try await desk.follow(desk.providerEvents())
            let paymentID = try #require(try await desk.payment()?.paymentID)
            #expect(try await desk.notice("charge.dispute.created", intent: paymentID, dispute: id) == .done)
            #expect(try await desk.told() == ["captured", "disputed", "disputed"])
            #expect(try await desk.balances() == (verdict == "won" ? ["provider": 1250, "sales": -1250] : [:]))
            #expect(try await desk.reconciliation().differences == [])
        }
    }

    @Test("What has been decided about a dispute stays, whatever is said of it afterwards")
    func decided() {
        let money = Money(amount: 1250, currency: "EUR")
        for decision in [DisputeState.won, .lost] {
            var contest = Contest(id: "dp", orderID: "o", reason: "fraudulent", total: money, state: .opened)
            let news = ([.opened, decision] + DisputeState.allCases).map { contest.take($0) }
            #expect(news == [false, true] + DisputeState.allCases.map { _ in false })
            #expect(contest.state == decision)
        }
    }

    @Test("The decision about a dispute is heard of before its beginning: it alone is told")
    func decisionFirst() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            let id = try openDispute(at: desk)
            _ = desk.atProvider { $0.closeDispute(id, ["status": "lost"], at: $1) }
            try await desk.follow(desk.providerEvents().reversed())
            #expect(try await desk.told() == ["captured", "disputed"])
            #expect(try await desk.balances().isEmpty)
        }
    }

    private func openDispute(at desk: PaymentDesk) throws -> String {
        let reply = desk.atProvider { $0.openDispute(["order": "order-1", "reason": "fraudulent"], at: $1) }
        guard case .dispute(let dispute) = reply.answer else { throw PaymentDesk.Crash() }
        return dispute.id
    }
}

/// Points are bought by the same machinery, and told in Points' words.
@Suite("Top-ups", .timeLimit(.minutes(5))) struct PaymentTopUpTests {
    @Test("Points are charged once, however often they are asked for, and told as points")
    func captured() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.requestPoints("pts_1") == .done)
            #expect(try await desk.requestPoints("pts_1") == .done)
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told("pts_1") == ["top-up-captured"])
            #expect(desk.moved("pts_1") == [1, 0])
            #expect(try await desk.balances() == ["provider": 1250, "points": -1250])
        }
    }

    @Test("A card that is declined buys no points")
    func declined() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.requestPoints("pts_1", method: .insufficientFunds) == .done)
            #expect(try await desk.told("pts_1") == ["top-up-declined"])
        }
    }

    @Test("What points cost is refunded in the dashboard, or lost to the customer's bank: Points hears of either once")
    func refunded() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.requestPoints("pts_1")
            _ = desk.atProvider { $0.refundByHand(["order": "pts_1"], at: $1) }
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told("pts_1") == ["top-up-captured", "top-up-refunded"])
            try await desk.requestPoints("pts_2")
            let reply = desk.atProvider { $0.openDispute(["order": "pts_2"], at: $1) }
            guard case .dispute(let dispute) = reply.answer else { throw PaymentDesk.Crash() }
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told("pts_2") == ["top-up-captured"])
            _ = desk.atProvider { $0.closeDispute(dispute.id, ["status": "lost"], at: $1) }
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told("pts_2") == ["top-up-captured", "top-up-refunded"])
            #expect(try await desk.balances().isEmpty)
        }
    }

    @Test("An order and a charge of points of one id are not taken for one another")
    func otherPurpose() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request("x")
            #expect(try await desk.requestPoints("x") == .permanent("payment.conflicting-request"))
            #expect(desk.moved("x") == [1, 0])
        }
    }

    @Test("No two deeds have one idempotency key, whatever they are for")
    func keys() {
        let keys = Payment.Purpose.allCases.flatMap { purpose in
            Payment.Deed.allCases.flatMap { deed in ["1", "a b", "points-charge-1"].map { purpose.key(deed, $0) } }
        }
        #expect(Set(keys).count == keys.count)
        #expect(Payment.Purpose.order.key(.refund, "a b") == "warren-refund-a%20b")
    }
}
