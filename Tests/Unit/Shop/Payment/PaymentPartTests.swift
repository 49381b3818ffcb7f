import Events
import ShopEvents
import Testing

@testable import Messaging
@testable import Payment
@testable import Sandbox

@Suite("A part of a payment goes back", .timeLimit(.minutes(5)))
struct PaymentPartTests {
    @Test(
        "Once, whatever happens to the first attempt",
        arguments: [nil, .error, .errorAfter, .reset, .timeout] as [Fault.Kind?]
    )
    func once(fault: Fault.Kind?) async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            if let fault { desk.plan(fault, for: .refund) }
            let first = try await desk.cancelLines(1, refund: 400)
            if first != .done { #expect(try await desk.cancelLines(1, refund: 400) == .done) }
            #expect(try await desk.cancelLines(1, refund: 400) == .done)
            #expect(try await desk.told() == ["captured", "partly-refunded"])
            #expect(desk.refundedAmounts() == [400])
            #expect(try await desk.balances() == ["provider": 850, "sales": -850])
            #expect(try await desk.payment()?.state == .captured)
            #expect(try await desk.reconciliation().differences == [])
        }
    }

    @Test("Once, where the process dies between the refund and its receipt, and is back when the key is forgotten")
    func crash() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            #expect(try await desk.cancelLines(1, refund: 400, crashing: true) == .crashed)
            #expect(try await desk.told() == ["captured"])
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told() == ["captured"], "a webhook alone does not tell of it")
            // By then the provider has forgotten the key.
            desk.wait(milliseconds: 25 * 3_600_000)
            #expect(try await desk.cancelLines(1, refund: 400) == .done)
            #expect(try await desk.told() == ["captured", "partly-refunded"])
            #expect(desk.refundedAmounts() == [400])
        }
    }

    @Test("Two parts and then the whole: each goes back once, and the books agree with the provider's")
    func partsAndWhole() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            #expect(try await desk.cancelLines(1, refund: 400) == .done)
            #expect(try await desk.cancelLines(2, refund: 300) == .done)
            #expect(try await desk.cancel(crashing: true) == .crashed)
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.told() == ["captured", "partly-refunded", "partly-refunded", "refunded"])
            #expect(desk.refundedAmounts() == [400, 300, 550])
            #expect(try await desk.balances().isEmpty)
            try await desk.follow(desk.providerEvents())
            #expect(try await desk.told().count == 4)
            #expect(try await desk.reconciliation().differences == [])
        }
    }

    @Test(
        "A part that takes its time is asked for again, or told by its webhook; the whole does not wait for it to be asked for"
    )
    func pending() async throws {
        for isTold in [true, false] {
            try await PaymentDesk.open { desk async throws in
                try await desk.request(method: .pendingRefund)
                #expect(try await desk.cancelLines(1, refund: 400) == .done)
                #expect(try await desk.told() == ["captured"])
                #expect(try await desk.scheduled() == ["part-refund-check:order-1:1:1"])
                #expect(try await desk.cancelLines(1, refund: 400) == .done)
                #expect(desk.refundedAmounts() == [400])
                desk.wait(milliseconds: 3_600_000)
                if isTold {
                    try await desk.follow(desk.providerEvents())
                } else {
                    #expect(try await desk.checkPart(1, number: 1) == .done)
                }
                #expect(try await desk.told() == ["captured", "partly-refunded"])
                #expect(try await desk.balances() == ["provider": 850, "sales": -850])
            }
        }
        try await PaymentDesk.open { desk async throws in
            try await desk.request(method: .pendingRefund)
            #expect(try await desk.cancelLines(1, refund: 400) == .done)
            desk.plan(.error, for: .refund)
            #expect(try await desk.cancel() == .transient("payment.provider-unavailable"))
            #expect(try await desk.cancel() == .done)
            #expect(desk.refundedAmounts() == [400, 850], "the rest is under way beside it")
            desk.wait(milliseconds: 3_600_000)
            #expect(try await desk.checkRefund(number: 1) == .done)
            #expect(try await desk.checkPart(1, number: 1) == .done)
            #expect(Set(try await desk.told()) == ["captured", "refund-requested", "refunded", "partly-refunded"])
            #expect(try await desk.balances().isEmpty)
            #expect(try await desk.reconciliation().differences == [])
        }
    }

    @Test(
        "A part that fails is an operator's; made good by hand, its retry finds that, and the whole gives back the rest"
    )
    func failed() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request(method: .refundFail)
            #expect(try await desk.cancelLines(1, refund: 400) == .done)
            desk.wait(milliseconds: 3_000)
            let last = try #require(try desk.providerEvents().last)
            #expect(try await desk.follow([last]) == [.permanent("payment.refund-failed")])
            _ = desk.atProvider { $0.refundByHand(["order": "order-1", "amount": "400"], at: $1) }
            let paymentID = try #require(try await desk.payment()?.paymentID)
            #expect(try await desk.notice("refund.failed", intent: paymentID) == .done, "the dead letter's retry")
            #expect(try await desk.told() == ["captured", "partly-refunded"])
        }
    }

    @Test("A part whose order is paid back as a whole meanwhile is told with that, and refunded no more")
    func wholeFirst() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            desk.plan(.error, for: .refund)
            #expect(try await desk.cancelLines(1, refund: 400) == .transient("payment.provider-unavailable"))
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.cancelLines(1, refund: 400) == .done)
            #expect(try await desk.told() == ["captured", "refunded", "partly-refunded"])
            #expect(desk.refundedAmounts() == [1250])
            #expect(try await desk.balances().isEmpty)
            #expect(try await desk.reconciliation().differences == [])
        }
    }

    @Test("A part whose refund was made and not heard of, and then the whole: the books have each by its own name")
    func unheard() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request()
            #expect(try await desk.cancelLines(1, refund: 400, crashing: true) == .crashed)
            // It lies in the dead letters, and what comes after it passes.
            #expect(try await desk.cancel() == .done)
            #expect(desk.refundedAmounts() == [400, 850])
            #expect(try await desk.reconciliation().differences == [])
            #expect(try await desk.cancelLines(1, refund: 400) == .done)
            #expect(Set(try await desk.told()) == ["captured", "refunded", "partly-refunded"])
            #expect(try await desk.told().count == 3)
            #expect(try await desk.balances().isEmpty)
            #expect(try await desk.reconciliation().differences == [])
        }
    }

    @Test("A part that comes while all is on its way back waits for that, and is told with it")
    func whileRefunding() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request(method: .pendingRefund)
            #expect(try await desk.cancel() == .done)
            #expect(try await desk.cancelLines(1, refund: 400) == .done)
            #expect(try await desk.scheduled() == ["refund-check:order-1:1", "part-refund-check:order-1:1:1"])
            #expect(desk.refundedAmounts() == [1250])
            desk.wait(milliseconds: 3_600_000)
            #expect(try await desk.checkPart(1, number: 1) == .done)
            #expect(try await desk.scheduled().contains("part-refund-check:order-1:1:2"), "it asks nothing by itself")
            #expect(try await desk.checkRefund(number: 1) == .done)
            #expect(try await desk.checkPart(1, number: 2) == .done)
            #expect(try await desk.told() == ["captured", "refund-requested", "refunded", "partly-refunded"])
            #expect(desk.refundedAmounts() == [1250])
        }
    }

    @Test("What cannot be is an operator's: no charge, another amount, all of the charge")
    func contradictions() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(try await desk.cancelLines(1, refund: 400) == .transient("payment.unknown-payment"))
            try await desk.request(method: .declined)
            #expect(try await desk.cancelLines(1, refund: 400) == .permanent("payment.not-captured"))
            try await desk.request("order-2")
            #expect(try await desk.cancelLines(1, of: "order-2", refund: 400) == .done)
            #expect(
                try await desk.cancelLines(1, of: "order-2", refund: 401) == .permanent("payment.conflicting-request")
            )
            #expect(
                try await desk.cancelLines(2, of: "order-2", refund: 850) == .permanent("payment.conflicting-request")
            )
            #expect(try await desk.cancelLines(2, of: "order-2", refund: nil) == .done)
            #expect(try await desk.told("order-2") == ["captured", "partly-refunded"])
            #expect(desk.refundedAmounts("order-2") == [400])
        }
    }

    @Test("A part that is back stays so, whoever else has asked for it")
    func again() {
        let money = Money(amount: 400, currency: "EUR")
        var part = PartRefund(orderID: "o", number: 1, money: money, createdAt: 0, updatedAt: 0)
        part.await("re_1", at: 1)
        let told = PaymentPartlyRefunded(orderID: "o", number: 1, refundID: "re_1", total: money)
        #expect([part.refund("re_1", at: 2), part.refund("re_2", at: 3)] == [told, nil])
        part.await("re_2", at: 4)
        #expect(part.state == .refunded && part.refundID == "re_1" && part.updatedAt == 2)
    }

    @Test("Keys of parts, of whole refunds and of charges are never the same, whatever orders are called")
    func keys() {
        let orders = ["o", "1-o", "part-refund-1-o", "refund-1-o", "charge-o"]
        let keys = orders.flatMap { order in
            [
                Payment.Purpose.order.key(.charge, order), Payment.Purpose.order.key(.refund, order),
                Payment.Purpose.order.key(part: 1, order), Payment.Purpose.order.key(part: 11, order),
            ]
        }
        #expect(Set(keys).count == keys.count)
    }
}
