import Events
import ShopEvents
import Testing

@testable import Order

/// Something that happens to an order with stock, a coupon and points.
private enum GuestStep: String, CaseIterable {
    case cancel, overdue
    case reserved, noStock, taken, released
    case redeemed, noCoupon, used, couponBack
    case spent, noPoints, restored
    case captured, declined, voided, refunded

    func happen(to order: inout Order) throws(Order.Refusal) -> Order.Outcome {
        switch self {
        case .cancel: return try order.cancel(at: 2000)
        case .overdue:
            switch order.expire(at: 2000) {
            case .rejected(let events): return .changed(events)
            case .settled, .moneyUnclear: return .unchanged
            }
        case .reserved: return try order.take(.reserved(), of: .stock, at: 2000)
        case .noStock: return try order.take(.rejected(reason: "out-of-stock"), of: .stock, at: 2000)
        case .taken: return try order.take(.confirmed, of: .stock, at: 2000)
        case .released: return try order.take(.released, of: .stock, at: 2000)
        case .redeemed: return try order.take(.reserved(discount: 100), of: .coupon, at: 2000)
        case .noCoupon: return try order.take(.rejected(reason: "coupon-used"), of: .coupon, at: 2000)
        case .used: return try order.take(.confirmed, of: .coupon, at: 2000)
        case .couponBack: return try order.take(.released, of: .coupon, at: 2000)
        case .spent: return try order.take(.spent(200), at: 2000)
        case .noPoints: return try order.take(.rejected(reason: "insufficient-points"), at: 2000)
        case .restored: return try order.take(.restored(200), at: 2000)
        case .captured: return try order.take(.captured(order.due), at: 2000)
        case .declined: return try order.take(.declined(reason: "lost_card"), at: 2000)
        case .voided: return try order.take(.voided, at: 2000)
        case .refunded: return try order.take(.refunded(order.due), at: 2000)
        }
    }
}

@Suite("An order's life in a shop with coupons and points")
struct OrderGuestsTests {
    private static func order(
        coupon: String? = "c-1",
        points: Int64? = 200,
        awaitsStock: Bool = true,
        total: Money = OrderFixtures.total
    ) -> (Order, [any Event]) {
        var draft = OrderDraft(
            customer: OrderFixtures.draft.customer,
            lines: OrderFixtures.draft.lines,
            total: total,
            paymentMethod: "pm_card_visa"
        )
        draft.customer.id = "ada"
        if coupon != nil || points != nil { draft.deductions = Deductions(coupon: coupon, points: points) }
        return Order.place(draft, id: OrderFixtures.id, awaitsStock: awaitsStock, at: 1000)
    }

    /// `status/payment/stock/coupon/points events…` after the last of the steps.
    private static func result(of steps: [GuestStep]) -> String {
        var (order, _) = order()
        var words: [String] = []
        for step in steps {
            do throws(Order.Refusal) {
                switch try step.happen(to: &order) {
                case .unchanged: words = ["unchanged"]
                case .changed(let events): words = events.map(OrderTests.shortName)
                }
            } catch {
                words = error == .rejected ? ["refused"] : ["contradiction"]
            }
        }
        let state = [
            order.status.rawValue, order.payment.status.rawValue, order.stock?.rawValue ?? "-",
            order.coupon?.rawValue ?? "-", order.points?.rawValue ?? "-",
        ]
        return ([state.joined(separator: "/")] + words).joined(separator: " ")
    }

    @Test(
        "What can cross has its result, whichever comes first",
        arguments: [
            // Both are asked at once, and the last yes moves the order on: to its points, and then to its payment.
            ("reserved", "placed/not-requested/reserved/requested/requested"),
            ("redeemed", "placed/not-requested/requested/reserved/requested"),
            ("reserved redeemed", "placed/not-requested/reserved/reserved/requested order.accepted"),
            ("redeemed reserved", "placed/not-requested/reserved/reserved/requested order.accepted"),
            ("reserved redeemed spent", "placed/requested/reserved/reserved/spent order.payment-requested"),
            ("reserved redeemed spent captured", "confirmed/captured/reserved/reserved/spent order.confirmed"),
            ("reserved redeemed spent captured used taken", "confirmed/captured/confirmed/confirmed/spent"),
            ("reserved redeemed spent captured taken used", "confirmed/captured/confirmed/confirmed/spent"),
            // One no ends it, and the others' answers are written down.
            ("noStock", "rejected/not-requested/rejected/requested/requested order.rejected"),
            ("noStock redeemed", "rejected/not-requested/rejected/reserved/requested"),
            ("noStock redeemed couponBack", "rejected/not-requested/rejected/released/requested"),
            ("noStock noCoupon", "rejected/not-requested/rejected/rejected/requested"),
            ("redeemed noStock", "rejected/not-requested/rejected/reserved/requested order.rejected"),
            ("redeemed noStock couponBack", "rejected/not-requested/rejected/released/requested"),
            ("noCoupon", "rejected/not-requested/requested/rejected/requested order.rejected"),
            ("noCoupon reserved", "rejected/not-requested/reserved/rejected/requested"),
            ("noCoupon reserved released", "rejected/not-requested/released/rejected/requested"),
            ("reserved noCoupon", "rejected/not-requested/reserved/rejected/requested order.rejected"),
            ("reserved redeemed noPoints", "rejected/not-requested/reserved/reserved/rejected order.rejected"),
            ("reserved redeemed noPoints released", "rejected/not-requested/released/reserved/rejected"),
            ("reserved redeemed spent declined", "rejected/declined/reserved/reserved/spent order.rejected"),
            ("reserved redeemed spent declined restored", "rejected/declined/reserved/reserved/restored"),
            ("reserved redeemed spent declined couponBack", "rejected/declined/reserved/released/spent"),
            // A cancel at each moment.
            ("cancel", "cancelled/not-requested/requested/requested/requested order.cancelled"),
            ("cancel redeemed", "cancelled/not-requested/requested/reserved/requested"),
            ("cancel redeemed couponBack", "cancelled/not-requested/requested/released/requested"),
            ("reserved redeemed cancel", "cancelled/not-requested/reserved/reserved/requested order.cancelled"),
            ("reserved redeemed cancel spent", "cancelled/not-requested/reserved/reserved/spent"),
            ("reserved redeemed cancel spent restored", "cancelled/not-requested/reserved/reserved/restored"),
            ("reserved redeemed cancel noPoints", "cancelled/not-requested/reserved/reserved/rejected"),
            ("reserved redeemed spent cancel restored voided", "cancelled/voided/reserved/reserved/restored"),
            (
                "reserved redeemed spent captured cancel restored refunded",
                "cancelled/refunded/reserved/reserved/restored order.refunded"
            ),
            // A reservation expires while the order waits, is paid, or is confirmed.
            ("redeemed couponBack", "rejected/not-requested/requested/released/requested order.rejected"),
            ("redeemed couponBack reserved", "rejected/not-requested/reserved/released/requested"),
            ("reserved redeemed couponBack", "rejected/not-requested/reserved/released/requested order.rejected"),
            ("reserved redeemed couponBack spent", "rejected/not-requested/reserved/released/spent"),
            ("reserved redeemed spent couponBack", "rejected/requested/reserved/released/spent order.rejected"),
            ("reserved redeemed spent couponBack captured", "rejected/captured/reserved/released/spent"),
            ("reserved redeemed spent captured couponBack", "confirmed/captured/reserved/released/spent"),
            ("reserved redeemed spent captured couponBack used", "confirmed/captured/reserved/confirmed/spent"),
            (
                "reserved redeemed spent captured couponBack noCoupon",
                "cancelled/captured/reserved/rejected/spent order.cancelled"
            ),
            // The deadline, as long as no money is under way.
            ("overdue", "rejected/not-requested/requested/requested/requested order.rejected"),
            ("reserved redeemed overdue", "rejected/not-requested/reserved/reserved/requested order.rejected"),
            ("reserved redeemed overdue spent", "rejected/not-requested/reserved/reserved/spent"),
            ("reserved redeemed spent overdue", "placed/requested/reserved/reserved/spent unchanged"),
            // Twice.
            ("redeemed redeemed", "placed/not-requested/requested/reserved/requested unchanged"),
            ("reserved redeemed spent spent", "placed/requested/reserved/reserved/spent unchanged"),
            ("noCoupon noCoupon", "rejected/not-requested/requested/rejected/requested unchanged"),
            // What cannot be.
            ("spent", "placed/not-requested/requested/requested/requested contradiction"),
            ("reserved spent", "placed/not-requested/reserved/requested/requested contradiction"),
            ("noPoints", "placed/not-requested/requested/requested/requested contradiction"),
            ("used", "placed/not-requested/requested/requested/requested contradiction"),
            ("couponBack", "placed/not-requested/requested/requested/requested contradiction"),
            ("reserved redeemed restored", "placed/not-requested/reserved/reserved/requested contradiction"),
            ("reserved redeemed spent restored", "placed/requested/reserved/reserved/spent contradiction"),
            ("reserved redeemed spent noPoints", "placed/requested/reserved/reserved/spent contradiction"),
        ]
    )
    func crossing(steps: String, result: String) throws {
        let steps = try steps.split(separator: " ").map { try #require(GuestStep(rawValue: String($0))) }
        #expect(Self.result(of: steps) == result)
    }

    @Test("What is asked for and what is taken travels with every event that others go by")
    func deductions() throws {
        var (order, first) = Self.order()
        #expect((first.first as? OrderPlaced)?.deductions == Deductions(coupon: "c-1", points: 200))
        _ = try order.take(.reserved(), of: .stock, at: 2000)
        let accepted = try Self.events { order throws(Order.Refusal) in
            try order.take(.reserved(discount: 100), of: .coupon, at: 2000)
        }(&order)
        let taken = Deductions(coupon: "c-1", discount: 100, points: 200)
        #expect((accepted.first as? OrderAccepted)?.deductions == taken)
        #expect((accepted.first as? OrderAccepted)?.customer?.id == "ada")
        let asked = try Self.events { order throws(Order.Refusal) in try order.take(.spent(200), at: 2000) }(&order)
        #expect((asked.first as? OrderPaymentRequested)?.total == Money(amount: 1000, currency: "EUR"))
        #expect(throws: Order.Refusal.otherAmount) { try order.take(.captured(OrderFixtures.total), at: 2000) }
        let confirmed = try Self.events { order throws(Order.Refusal) in
            try order.take(.captured(Money(amount: 1000, currency: "EUR")), at: 2000)
        }(&order)
        #expect((confirmed.first as? OrderConfirmed)?.deductions == taken)
        #expect((confirmed.first as? OrderConfirmed)?.total == OrderFixtures.total)
        let cancelled = try Self.events { order throws(Order.Refusal) in try order.cancel(at: 2000) }(&order)
        #expect((cancelled.first as? OrderCancelled)?.deductions == taken)
        let refunded = try Self.events { order throws(Order.Refusal) in
            try order.take(.refunded(Money(amount: 1000, currency: "EUR")), at: 2000)
        }(&order)
        #expect((refunded.first as? OrderRefunded)?.total == Money(amount: 1000, currency: "EUR"))
    }

    /// The events of one change.
    private static func events(
        _ change: @escaping (inout Order) throws(Order.Refusal) -> Order.Outcome
    ) -> (inout Order) throws -> [any Event] {
        { order in
            guard case .changed(let events) = try change(&order) else { return [] }
            return events
        }
    }

    @Test("No more points are taken than are left to pay, and none where the coupon pays for all")
    func cap() throws {
        var (order, events) = Self.order(points: 5000)
        #expect((events.first as? OrderPlaced)?.deductions?.points == 1300)
        _ = try order.take(.reserved(), of: .stock, at: 2000)
        _ = try order.take(.reserved(discount: 1000), of: .coupon, at: 2000)
        #expect(order.deductions?.points == 300)
        #expect(throws: Order.Refusal.otherAmount) { try order.take(.spent(1300), at: 2000) }
        var (free, _) = Self.order(points: 5000)
        _ = try free.take(.reserved(), of: .stock, at: 2000)
        let last = try Self.events { order throws(Order.Refusal) in
            try order.take(.reserved(discount: 1300), of: .coupon, at: 2000)
        }(&free)
        #expect(last.map(OrderTests.shortName) == ["order.accepted", "order.confirmed"])
        #expect((last.first as? OrderAccepted)?.customer == nil, "no points are asked for")
        #expect(free.points == nil)
        #expect(free.payment.status == .notRequired)
        #expect(free.history.last?.status == .confirmed)
    }

    @Test("An order that points pay for is confirmed without a charge; cancelled, nothing is to be given back")
    func pointsAlone() throws {
        var (order, events) = Self.order(coupon: nil, points: 1300, awaitsStock: false)
        #expect(events.map(OrderTests.shortName) == ["order.placed", "order.accepted"])
        let paid = try Self.events { order throws(Order.Refusal) in try order.take(.spent(1300), at: 2000) }(&order)
        #expect(paid.map(OrderTests.shortName) == ["order.confirmed"])
        #expect(order.payment.status == .notRequired)
        #expect(throws: Order.Refusal.self) { try order.take(.voided, at: 2000) }
        _ = try order.cancel(at: 3000)
        guard case .unchanged = try order.take(.voided, at: 4000) else {
            Issue.record("a mark that Payment leaves changed the order")
            return
        }
        #expect(throws: Order.Refusal.self) { try order.take(.captured(order.due), at: 4000) }
    }

    @Test("What is left to pay and cannot be charged rejects the order, and the points go back")
    func notChargeable() throws {
        let total = Money(amount: 1300, currency: "KWD")
        var (order, _) = Self.order(coupon: nil, points: 205, awaitsStock: false, total: total)
        let events = try Self.events { order throws(Order.Refusal) in try order.take(.spent(205), at: 2000) }(&order)
        #expect((events.first as? OrderRejected)?.reason == "not-chargeable")
        #expect((events.first as? OrderRejected)?.deductions?.points == 205)
        #expect(order.history.last?.status == .rejected)
        _ = try order.take(.restored(205), at: 3000)
        #expect(order.points == .restored)
    }

    @Test("A discount of nothing, or of more than the order, is nobody's")
    func discounts() throws {
        for discount: Int64? in [nil, 0, -1, 1301] {
            var (order, _) = Self.order(points: nil)
            let before = order
            #expect(throws: Order.Refusal.otherAmount) {
                try order.take(.reserved(discount: discount), of: .coupon, at: 2000)
            }
            #expect(order == before)
        }
    }

    @Test("A dispute is written down once, and a late beginning does not undo its end")
    func disputes() throws {
        var order = OrderFixtures.placed()
        _ = try order.take(.captured(OrderFixtures.total), at: 2000)
        for (state, known) in [
            (DisputeState.opened, DisputeState.opened), (.opened, .opened), (.lost, .lost), (.opened, .lost),
        ] {
            _ = try order.take(state, at: 3000)
            #expect(order.payment.dispute == known)
        }
        #expect(order.status == .confirmed)
        _ = try order.take(.refunded(OrderFixtures.total), at: 4000)
        #expect(order.payment.dispute == .lost)
        var (waiting, _) = Self.order()
        #expect(throws: Order.Refusal.self) { try waiting.take(DisputeState.opened, at: 2000) }
    }
}
