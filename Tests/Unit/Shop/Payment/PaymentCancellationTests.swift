import ShopEvents
import Testing

@testable import Payment
@testable import Sandbox

/// Cancellations, whatever the provider is doing at the time.
@Suite("Payment refunds once", .timeLimit(.minutes(5))) struct PaymentCancellationTests {
    @Test("A captured payment is refunded, and a second cancellation does nothing")
    func refunds() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.request() == .done)
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.told() == ["captured", "refunded"])
            #expect(try await desk.payment()?.state == .refunded)
        }
    }

    @Test("A cancellation that comes before the request leaves a tombstone: nothing is ever charged")
    func cancelledFirst() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.request() == .done)
            #expect(desk.moved() == [0, 0])
            #expect(try await desk.told() == ["voided"])
        }
    }

    @Test("An order that is rejected while it is being paid gets its money back, once")
    func rejected() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            #expect(try await desk.reject() == .done)
            #expect(try await desk.reject() == .done)
            #expect(try await desk.cancel() == .done)
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.told() == ["captured", "refunded"])
        }
    }

    @Test("One that is rejected before it asked is never charged")
    func rejectedFirst() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.reject() == .done)
            #expect(try await desk.request() == .done)
            #expect(desk.moved() == [0, 0])
            #expect(try await desk.told() == ["voided"])
        }
    }

    @Test("One that is rejected because its payment ended is left alone")
    func rejectedUnpaid() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request(method: .declined)
            #expect(try await desk.reject(saysTotal: false) == .done)
            #expect(try await desk.told() == ["declined"])
            #expect(try await desk.reject("order-2", saysTotal: false) == .done)
            #expect(try await desk.payment("order-2") == nil)
        }
    }

    @Test("After a decline there is nothing to give back")
    func afterDecline() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request(method: .declined)
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.told() == ["declined"])
            #expect(try await desk.payment()?.state == .declined)
        }
    }

    @Test(
        "A charge whose answer was lost is found, told and refunded",
        arguments: [PaymentMethod.errorAfterOnce, .timeoutOnce, .resetOnce]
    )
    func pendingButCharged(method: PaymentMethod) async throws {
        try await PaymentDesk.open { desk async throws in
            _ = try await desk.request(method: method)
            #expect(try await desk.payment()?.state == .pending)
            #expect(try await desk.cancel() == .done)
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.told() == ["captured", "refunded"])
            // The old request comes back from the dead letters.
            #expect(try await desk.request(method: method) == .done)
            #expect(desk.moved() == [1, 1])
        }
    }

    @Test("A charge whose answer was lost is found though the provider has forgotten its key")
    func pendingButChargedLongAgo() async throws {
        try await PaymentDesk.open { desk async throws in
            _ = try await desk.request(method: .resetOnce)
            desk.wait(milliseconds: 2 * IdempotencyTable.lifetime)
            #expect(try await desk.cancel() == .done)
            #expect(desk.moved() == [1, 1])
        }
    }

    @Test("A payment that was never charged is voided, and a charge still on its way comes too late")
    func pendingAndNotCharged() async throws {
        try await PaymentDesk.open { desk async throws in
            _ = try await desk.request(method: .errorOnce)
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.told() == ["voided"])
            // The first call's packets arrive after all, under its key.
            let form = charge(method: .errorOnce).merging(["payment_method_types[]": "card"]) { _, new in new }
            let late = desk.atProvider { $0.createIntent(form, key: "warren-charge-order-1", at: $1) }
            #expect(late.error?.type == "idempotency_error")
            #expect(try await desk.request(method: .errorOnce) == .done)
            #expect(desk.moved() == [0, 0])
            #expect(try await desk.told() == ["voided"])
        }
    }

    @Test("While the provider cannot say what became of the charge, the cancellation waits")
    func waitsForTheOutcome() async throws {
        try await PaymentDesk.open { desk async throws in
            _ = try await desk.request(method: .slow)
            #expect(try await desk.cancel() == .deferred("payment.charge-processing"))
            desk.hooks.set { $0.isLookUpBlind = true }
            #expect(try await desk.cancel() == .transient("payment.outcome-unknown"))
            desk.hooks.set { $0.isLookUpBlind = false }
            desk.wait(milliseconds: 3000)
            #expect(try await desk.cancel() == .done)
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.told() == ["captured", "refunded"])
        }
    }

    @Test("A charge that the look-up does not show yet is not voided")
    func blindLookUp() async throws {
        try await PaymentDesk.open { desk async throws in
            _ = try await desk.request(method: .timeoutOnce)
            desk.hooks.set { $0.isLookUpBlind = true }
            #expect(try await desk.cancel() == .transient("payment.outcome-unknown"))
            #expect(try await desk.payment()?.state == .pending)
            desk.hooks.set { $0.isLookUpBlind = false }
            #expect(try await desk.cancel() == .done)
            #expect(desk.moved() == [1, 1])
        }
    }

    @Test("Killed after the key was used up, it voids the payment when it comes back", arguments: [true, false])
    func crashWhileVoiding(requestComesFirst: Bool) async throws {
        try await PaymentDesk.open { desk async throws in
            _ = try await desk.request(method: .errorOnce)
            desk.hooks.set { $0.afterBlock = { () async throws in throw PaymentDesk.Crash() } }
            #expect(try await desk.cancel() == .crashed)
            desk.hooks.set { $0.afterBlock = nil }
            // The request comes again before or after the cancellation does: both lead to the same end.
            if requestComesFirst { #expect(try await desk.request(method: .errorOnce) == .done) }
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.request(method: .errorOnce) == .done)
            #expect(desk.moved() == [0, 0])
            #expect(try await desk.told() == ["voided"])
        }
    }

    @Test(
        "A provider that fails at the refund is asked again, and the money goes back once",
        arguments: [
            (Fault.Kind.error, "payment.provider-unavailable"), (.unavailable, "payment.provider-unavailable"),
            (.errorAfter, "payment.provider-unavailable"), (.timeout, "payment.provider-unavailable"),
            (.reset, "payment.provider-unreadable"), (.rateLimit, "payment.provider-busy"),
        ]
    )
    func refundFaults(kind: Fault.Kind, errorClass: String) async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            desk.plan(kind, for: .refund)
            #expect(try await desk.cancel() == .transient(errorClass))
            #expect(try await desk.payment()?.state == .refunding)
            #expect(try await desk.cancel() == .done)
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.told() == ["captured", "refunded"])
        }
    }

    @Test("A pending refund is waited for by timeouts, for days if need be, and told when it is done")
    func pendingRefund() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            desk.plan(.pending, for: .refund, delayMilliseconds: 5 * 24 * 3_600_000)
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.payment()?.state == .refunding)
            #expect(try await desk.payment()?.refundID != nil)
            for number in 1...20 {
                #expect(try await desk.checkRefund(number: number) == .done)
                desk.wait(milliseconds: 5 * 3_600_000)
            }
            #expect(try await desk.scheduled() == (1...21).map { "refund-check:order-1:\($0)" })
            #expect(try await desk.payment()?.state == .refunding)
            #expect(try await desk.told() == ["captured", "refund-requested"])
            desk.wait(milliseconds: 24 * 3_600_000)
            #expect(try await desk.checkRefund(number: 21) == .done)
            #expect(try await desk.checkRefund(number: 22) == .done)
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.told() == ["captured", "refund-requested", "refunded"])
            #expect(try await desk.payment()?.state == .refunded)
        }
    }

    @Test("A refund that fails at last is an operator's, who refunds by hand and retries")
    func failedRefund() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            desk.plan(.failing, for: .refund)
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.checkRefund(number: 1) == .done)
            desk.wait(milliseconds: 3000)
            #expect(try await desk.checkRefund(number: 2) == .permanent("payment.refund-failed"))
            #expect(try await desk.payment()?.state == .refunding)
            let paymentID = try #require(try await desk.payment()?.paymentID)
            _ = desk.atProvider { $0.createRefund(["payment_intent": paymentID], key: nil, at: $1) }
            #expect(try await desk.checkRefund(number: 2) == .done)
            #expect(try await desk.told() == ["captured", "refund-requested", "refunded"])
        }
    }

    @Test("A refund that is pending for more than 30 days is an operator's")
    func overdueRefund() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            desk.plan(.pending, for: .refund, delayMilliseconds: .max / 4)
            #expect(try await desk.cancel() == .done)
            desk.wait(milliseconds: RefundCheck.patience)
            #expect(try await desk.checkRefund(number: 1) == .done)
            desk.wait(milliseconds: 1)
            #expect(try await desk.checkRefund(number: 2) == .permanent("payment.refund-overdue"))
            #expect(try await desk.payment()?.state == .refunding)
        }
    }

    @Test("A refund is asked after as long as it is under way, between a second and six hours")
    func refundChecks() {
        #expect(RefundCheck.due(of: 1_000, now: 1_000) == 2_000)
        #expect(RefundCheck.due(of: 1_000, now: 61_000) == 121_000)
        #expect(RefundCheck.due(of: 0, now: RefundCheck.patience) == RefundCheck.patience + 6 * 3_600_000)
        #expect(RefundCheck.due(of: 5_000, now: 1_000) == 2_000)
    }

    @Test("A part that was refunded by hand counts, and the rest goes back")
    func partRefundedByHand() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            let paymentID = try #require(try await desk.payment()?.paymentID)
            _ = desk.atProvider { $0.createRefund(["payment_intent": paymentID, "amount": "250"], key: nil, at: $1) }
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.payment()?.state == .refunded)
            #expect(desk.moved() == [1, 2])
        }
    }

    @Test("An amount that the provider cannot express ends the order, and the provider is never asked")
    func inexpressible() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.request(amount: 1350, currency: "MGA") == .done)
            #expect(try await desk.told() == ["declined"])
            #expect(try await desk.payment()?.declineReason == "amount_not_chargeable")
            #expect(desk.moved() == [0, 0])
        }
    }

    @Test("An order in a currency that Stripe counts its own way is charged and refunded in full")
    func otherUnits() async throws {
        try await PaymentDesk.open { desk async throws in
            for (order, money) in [
                ("isk", Money(amount: 1250, currency: "ISK")), ("mga", Money(amount: 125_000, currency: "MGA")),
                ("kwd", Money(amount: 1250, currency: "KWD")), ("jpy", Money(amount: 1250, currency: "JPY")),
            ] {
                #expect(try await desk.request(order, amount: money.amount, currency: money.currency) == .done)
                #expect(try await desk.payment(order)?.state == .captured)
                #expect(try await desk.cancel(order) == .done)
                #expect(try await desk.payment(order)?.state == .refunded)
                #expect(desk.moved(order) == [1, 1])
            }
        }
    }

    @Test("Killed between the refund and the commit, it finds the refund again, keys forgotten or not")
    func crashAfterRefund() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            #expect(try await desk.cancel(crashing: true) == .crashed)
            desk.wait(milliseconds: 2 * IdempotencyTable.lifetime)
            #expect(try await desk.cancel() == .done)
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.told() == ["captured", "refunded"])
        }
    }

    @Test("A charge that an operator has refunded by hand counts as refunded")
    func refundedByHand() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            let paymentID = try #require(try await desk.payment()?.paymentID)
            let byHand = desk.atProvider { $0.createRefund(["payment_intent": paymentID], key: nil, at: $1) }
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.payment()?.refundID == byHand.refund?.id)
            #expect(desk.moved() == [1, 1])
        }
    }

    @Test("A request that can never be charged is voided by its cancellation")
    func afterRefusedRequest() async throws {
        try await PaymentDesk.open { desk async throws in
            desk.hooks.refuseCharges()
            #expect(try await desk.request() == .permanent("payment.provider-refused"))
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.told() == ["voided"])
        }
    }

    @Test("Cancelled between the provider's answer and the commit: charged, told and refunded once")
    func cancelledDuringCharge() async throws {
        try await PaymentDesk.open { desk async throws in
            desk.hooks.set { hooks in
                hooks.afterCharge = { () async throws in #expect(try await desk.cancel() == .done) }
            }
            #expect(try await desk.request() == .done)
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.told() == ["captured", "refunded"])
            #expect(try await desk.payment()?.state == .refunded)
        }
    }

    @Test("A charge that comes to light on a voided payment is told and refunded", arguments: [false, true])
    func lateCharge(crashing: Bool) async throws {
        try await PaymentDesk.open { desk async throws in
            desk.hooks.set { hooks in
                hooks.afterCharge = { () async throws in
                    // The provider neither finds the charge nor knows its key: the cancellation voids the payment.
                    desk.hooks.set {
                        $0.isLookUpBlind = true
                        $0.isKeyForgotten = true
                    }
                    #expect(try await desk.cancel() == .done)
                    #expect(try await desk.payment()?.state == .voided)
                    desk.hooks.set { $0.isLookUpBlind = false }
                    if crashing { throw PaymentDesk.Crash() }
                }
            }
            #expect(try await desk.request() == (crashing ? .crashed : .transient("payment.late-charge")))
            desk.hooks.set { $0.afterCharge = nil }
            if crashing { #expect(try await desk.request() == .transient("payment.late-charge")) }
            #expect(try await desk.payment()?.state == .refunding)
            #expect(try await desk.request() == .done)
            #expect(desk.moved() == [1, 1])
            #expect(try await desk.told() == ["voided", "captured", "refunded"])
        }
    }
}
