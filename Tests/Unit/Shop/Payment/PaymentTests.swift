import ShopEvents
import Testing

@testable import Payment

/// The aggregate: what each state makes of each arrival.
@Suite("A payment, in every state and order of arrivals") struct PaymentTests {
    private static let total = Money(amount: 1250, currency: "EUR")

    @Test("A request makes a pending payment whose key follows from the order alone")
    func requested() {
        let payment = Payment.requested(orderID: "a b", total: Self.total, paymentMethod: "pm_card_visa", at: 5)
        #expect(payment.state == .pending)
        #expect(payment.charge == Payment.Charge(paymentMethod: "pm_card_visa", key: "warren-charge-a%20b", keyAt: 5))
        #expect(payment.requestStep(isNew: true) == .charge(lookUpFirst: false))
        #expect(payment.requestStep(isNew: false) == .charge(lookUpFirst: true))
    }

    @Test("Cancelled before it is requested, a payment is voided, and the request that comes later does nothing")
    func cancelledFirst() {
        let (payment, announcement) = Payment.cancelledFirst(orderID: "o", total: Self.total, at: 5)
        #expect(announcement == .voided(PaymentVoided(orderID: "o")))
        #expect(payment.requestStep(isNew: false) == .nothing)
        #expect(payment.agrees(total: Money(amount: 1, currency: "USD"), paymentMethod: "any"))
    }

    @Test("A request for another amount or card disagrees with the first")
    func disagreement() {
        let payment = make(.pending)
        #expect(payment.agrees(total: Self.total, paymentMethod: "pm_card_visa"))
        #expect(!payment.agrees(total: Money(amount: 1251, currency: "EUR"), paymentMethod: "pm_card_visa"))
        #expect(!payment.agrees(total: Self.total, paymentMethod: "pm_card_mastercard"))
    }

    @Test(
        "What a repeated request leads to",
        arguments: [
            (.pending, .charge(lookUpFirst: true)), (.captured, .nothing), (.declined, .nothing),
            (.voided, .lookForLateCharge), (.refunding, .refund), (.refunded, .nothing),
        ] as [(Payment.State, Payment.RequestStep)]
    )
    func repeatedRequest(state: Payment.State, step: Payment.RequestStep) {
        #expect(make(state).requestStep(isNew: false) == step)
    }

    @Test(
        "What a cancellation leads to",
        arguments: [
            (.pending, .callOff, .pending), (.captured, .refund(lookUpFirst: false), .refunding),
            (.declined, .nothing, .declined), (.voided, .nothing, .voided),
            (.refunding, .refund(lookUpFirst: true), .refunding), (.refunded, .nothing, .refunded),
        ] as [(Payment.State, Payment.CancellationStep, Payment.State)]
    )
    func cancellation(state: Payment.State, step: Payment.CancellationStep, after: Payment.State) {
        var payment = make(state)
        #expect(payment.cancel(at: 9) == step)
        #expect(payment.state == after)
        #expect((payment.refundKey != nil) == (after == .refunding || after == .refunded))
    }

    @Test(
        "What the provider's word leads to",
        arguments: [
            (.pending, .captured(paymentID: "pi"), .captured), (.pending, .declined(reason: "r"), .declined),
            (.pending, .voided, .voided),
            (.captured, .captured(paymentID: "pi"), .captured), (.captured, .declined(reason: "r"), .captured),
            (.captured, .voided, .captured),
            (.declined, .captured(paymentID: "pi"), .refunding), (.declined, .declined(reason: "x"), .declined),
            (.declined, .voided, .declined),
            (.voided, .captured(paymentID: "pi"), .refunding), (.voided, .declined(reason: "r"), .voided),
            (.voided, .voided, .voided),
            (.refunding, .captured(paymentID: "pi"), .refunding), (.refunding, .declined(reason: "r"), .refunding),
            (.refunding, .voided, .refunding),
            (.refunded, .captured(paymentID: "pi"), .refunded), (.refunded, .declined(reason: "r"), .refunded),
            (.refunded, .voided, .refunded),
        ] as [(Payment.State, Payment.Outcome, Payment.State)]
    )
    func settling(state: Payment.State, outcome: Payment.Outcome, after: Payment.State) {
        var payment = make(state)
        let before = payment
        let announcement = payment.settle(outcome, at: 9)
        #expect(payment.state == after)
        // Something is announced if and only if something changed, and it is what happened.
        switch (state == after, outcome) {
        case (true, _):
            #expect(announcement == nil)
            #expect(payment == before)
        case (false, .captured(let id)):
            #expect(
                announcement == .captured(PaymentCaptured(orderID: "o", paymentID: id, total: Self.total))
            )
        case (false, .declined(let reason)):
            #expect(announcement == .declined(PaymentDeclined(orderID: "o", reason: reason)))
        case (false, .voided):
            #expect(announcement == .voided(PaymentVoided(orderID: "o")))
        }
    }

    @Test("Only a payment on its way back can be refunded, and only once", arguments: Payment.State.allCases)
    func refunding(state: Payment.State) {
        var payment = make(state)
        let before = payment
        let announcement = payment.refund("re", at: 9)
        if state == .refunding {
            #expect(
                announcement == .refunded(PaymentRefunded(orderID: "o", refundID: "re", total: Self.total))
            )
            #expect(payment.state == .refunded)
            #expect(payment.refund("re2", at: 10) == nil)
            #expect(payment.refundID == "re")
        } else {
            #expect(announcement == nil)
            #expect(payment == before)
        }
    }

    @Test("Whatever arrives in whatever order: captured and refunded at most once, keys never change")
    func everyOrder() {
        struct Seen: Hashable {
            var state: Payment.State
            var captured: Int
            var refunded: Int
            var hasPaymentID: Bool
        }
        var seen: Set<Seen> = []
        var open: [(Payment, captured: Int, refunded: Int)] = [
            (make(.pending), 0, 0), (Payment.cancelledFirst(orderID: "o", total: Self.total, at: 0).0, 0, 0),
        ]
        var states: Set<Payment.State> = []
        while let (payment, captured, refunded) = open.popLast() {
            states.insert(payment.state)
            guard
                seen.insert(
                    Seen(
                        state: payment.state,
                        captured: captured,
                        refunded: refunded,
                        hasPaymentID: payment.paymentID != nil
                    )
                ).inserted
            else { continue }
            #expect(captured <= 1 && refunded <= captured)
            #expect((payment.paymentID != nil) == (captured == 1))
            #expect((payment.state == .refunded) == (refunded == 1))
            let arrivals: [(inout Payment) -> Payment.Announcement?] = [
                {
                    _ = $0.cancel(at: 1)
                    return nil
                },
                { $0.settle(.captured(paymentID: "pi"), at: 1) },
                { $0.settle(.declined(reason: "r"), at: 1) },
                { $0.settle(.voided, at: 1) },
                { $0.refund("re", at: 1) },
            ]
            for arrive in arrivals {
                var next = payment
                let announcement = arrive(&next)
                #expect(next.charge == payment.charge)
                #expect(payment.refundKey == nil || next.refundKey == payment.refundKey)
                var (captured, refunded) = (captured, refunded)
                if case .captured = announcement { captured += 1 }
                if case .refunded = announcement { refunded += 1 }
                open.append((next, captured, refunded))
            }
        }
        #expect(states == Set(Payment.State.allCases))
    }

    private func make(_ state: Payment.State) -> Payment {
        let isCharged = state == .captured || state == .refunding || state == .refunded
        let isRefunded = state == .refunding || state == .refunded
        return Payment(
            orderID: "o",
            total: Self.total,
            charge: Payment.Charge(paymentMethod: "pm_card_visa", key: "k", keyAt: 0),
            state: state,
            paymentID: isCharged ? "pi" : nil,
            refundKey: isRefunded ? "r" : nil,
            refundID: state == .refunded ? "re" : nil,
            declineReason: state == .declined ? "d" : nil,
            createdAt: 0,
            updatedAt: 0
        )
    }
}
