import Events
import ShopEvents
import Testing

@testable import Order

/// Something that happens to an order of a shop with Inventory.
private enum StockStep: String, CaseIterable {
    case cancel
    case reserved
    case noStock
    case taken
    case released
    case captured
    case declined
    case voided
    case refunded
    case overdue

    func happen(to order: inout Order) throws(Order.Refusal) -> Order.Outcome {
        let total = OrderFixtures.total
        switch self {
        case .cancel: return try order.cancel(at: 2000)
        case .reserved: return try order.take(Order.ReservationReport.reserved(), of: .stock, at: 2000)
        case .noStock:
            return try order.take(Order.ReservationReport.rejected(reason: "out-of-stock"), of: .stock, at: 2000)
        case .taken: return try order.take(Order.ReservationReport.confirmed, of: .stock, at: 2000)
        case .released: return try order.take(Order.ReservationReport.released, of: .stock, at: 2000)
        case .captured: return try order.take(Order.PaymentReport.captured(total), at: 2000)
        case .declined: return try order.take(Order.PaymentReport.declined(reason: "lost_card"), at: 2000)
        case .voided: return try order.take(Order.PaymentReport.voided, at: 2000)
        case .refunded: return try order.take(Order.PaymentReport.refunded(total), at: 2000)
        case .overdue:
            switch order.expire(at: 2000) {
            case .rejected(let events): return .changed(events)
            case .settled, .moneyUnclear: return .unchanged
            }
        }
    }
}

@Suite("An order's life in a shop with Inventory")
struct OrderStockTests {
    private static func placed() -> Order {
        Order.place(OrderFixtures.draft, id: OrderFixtures.id, awaitsStock: true, at: 1000).order
    }

    /// `status/payment/stock events…` after the last of the steps.
    private static func result(of steps: [StockStep]) -> String {
        var order = placed()
        var words: [String] = []
        for step in steps {
            do throws(Order.Refusal) {
                switch try step.happen(to: &order) {
                case .unchanged: words = ["unchanged"]
                case .changed(let events): words = events.map(OrderTests.shortName)
                }
            } catch {
                switch error {
                case .rejected: words = ["refused"]
                default: words = ["contradiction"]
                }
            }
        }
        let state = "\(order.status.rawValue)/\(order.payment.status.rawValue)/\(order.stock?.rawValue ?? "-")"
        return ([state] + words).joined(separator: " ")
    }

    @Test("Placing an order asks for its stock, and not yet for its payment")
    func placing() {
        let (order, events) = Order.place(OrderFixtures.draft, id: OrderFixtures.id, awaitsStock: true, at: 1000)
        #expect(events.map(OrderTests.shortName) == ["order.placed"])
        #expect(order.stock == .requested)
        #expect(order.payment == Order.Payment(status: .notRequested))
        #expect(order.history.map(\.payment) == [.notRequested])
    }

    @Test(
        "What can cross has its result, whichever comes first",
        arguments: [
            // The usual way, and its ends.
            ("reserved", "placed/requested/reserved order.accepted order.payment-requested"),
            ("reserved captured", "confirmed/captured/reserved order.confirmed"),
            ("reserved captured taken", "confirmed/captured/confirmed"),
            ("noStock", "rejected/not-requested/rejected order.rejected"),
            ("reserved declined", "rejected/declined/reserved order.rejected"),
            ("reserved declined released", "rejected/declined/released"),
            // A cancel at each moment; what Inventory says then is written down.
            ("cancel", "cancelled/not-requested/requested order.cancelled"),
            ("cancel reserved", "cancelled/not-requested/reserved"),
            ("cancel reserved released", "cancelled/not-requested/released"),
            ("cancel noStock", "cancelled/not-requested/rejected"),
            ("cancel released", "cancelled/not-requested/released"),
            ("cancel voided", "cancelled/voided/requested"),
            ("cancel voided reserved", "cancelled/voided/reserved"),
            ("reserved cancel captured refunded", "cancelled/refunded/reserved order.refunded"),
            ("reserved captured cancel taken", "cancelled/captured/confirmed"),
            ("reserved captured cancel taken released", "cancelled/captured/released"),
            // The reservation expires before, or while, the order is confirmed.
            ("reserved released", "rejected/requested/released order.rejected"),
            ("reserved released captured", "rejected/captured/released"),
            ("reserved released captured refunded", "rejected/refunded/released order.refunded"),
            ("reserved released voided", "rejected/voided/released"),
            ("reserved released declined", "rejected/declined/released"),
            ("reserved captured released", "confirmed/captured/released"),
            ("reserved captured released taken", "confirmed/captured/confirmed"),
            ("reserved captured released noStock", "cancelled/captured/rejected order.cancelled"),
            ("reserved captured released noStock refunded", "cancelled/refunded/rejected order.refunded"),
            ("reserved captured released cancel taken", "cancelled/captured/confirmed"),
            ("reserved captured released cancel noStock", "cancelled/captured/rejected"),
            // The deadline.
            ("overdue", "rejected/not-requested/requested order.rejected"),
            ("overdue reserved", "rejected/not-requested/reserved"),
            ("overdue noStock", "rejected/not-requested/rejected"),
            ("overdue reserved released", "rejected/not-requested/released"),
            ("overdue voided", "rejected/voided/requested"),
            ("reserved overdue", "placed/requested/reserved unchanged"),
            ("reserved captured overdue", "confirmed/captured/reserved unchanged"),
            ("cancel overdue", "cancelled/not-requested/requested unchanged"),
            // Twice.
            ("reserved reserved", "placed/requested/reserved unchanged"),
            ("noStock noStock", "rejected/not-requested/rejected unchanged"),
            ("cancel cancel", "cancelled/not-requested/requested unchanged"),
            ("noStock cancel", "rejected/not-requested/rejected refused"),
            // What cannot be.
            ("captured", "placed/not-requested/requested contradiction"),
            ("voided", "placed/not-requested/requested contradiction"),
            ("taken", "placed/not-requested/requested contradiction"),
            ("released", "placed/not-requested/requested contradiction"),
            ("reserved taken", "placed/requested/reserved contradiction"),
            ("reserved noStock", "placed/requested/reserved contradiction"),
            ("noStock reserved", "rejected/not-requested/rejected contradiction"),
            ("reserved captured taken released", "confirmed/captured/confirmed contradiction"),
        ]
    )
    func crossing(steps: String, result: String) throws {
        let steps = try steps.split(separator: " ").map { try #require(StockStep(rawValue: String($0))) }
        #expect(Self.result(of: steps) == result)
    }

    @Test("In a shop without Inventory what it says is a contradiction")
    func notAsked() {
        var order = OrderFixtures.placed()
        #expect(throws: Order.Refusal.reservationContradiction(.stock, known: nil, reported: .reserved)) {
            try order.take(Order.ReservationReport.reserved(), of: .stock, at: 2000)
        }
        #expect(order == OrderFixtures.placed())
    }

    @Test("A rejection for want of stock, and a cancel of what was paid too late, say why")
    func reasons() throws {
        var order = Self.placed()
        guard case .changed(let events) = try order.take(.rejected(reason: "stock-locked"), of: .stock, at: 2000) else {
            Issue.record("nothing changed")
            return
        }
        #expect((events.first as? OrderRejected)?.reason == "stock-locked")
        #expect((events.first as? OrderRejected)?.total == OrderFixtures.total)
        var late = Self.placed()
        _ = try late.take(Order.ReservationReport.reserved(), of: .stock, at: 2000)
        _ = try late.take(Order.PaymentReport.captured(OrderFixtures.total), at: 2000)
        _ = try late.take(Order.ReservationReport.released, of: .stock, at: 2000)
        guard case .changed(let ends) = try late.take(.rejected(reason: "reservation-expired"), of: .stock, at: 2000)
        else {
            Issue.record("nothing changed")
            return
        }
        #expect((ends.first as? OrderCancelled)?.reason == "reservation-expired")
    }

    @Test("Whatever comes in whatever order, nothing is told twice and one change is one entry")
    func anyOrder() {
        var sequences: [[StockStep]] = [[]]
        for _ in 1...4 { sequences = sequences.flatMap { steps in StockStep.allCases.map { steps + [$0] } } }
        #expect(sequences.count == 10_000)
        for steps in sequences {
            var order = Self.placed()
            var told: [String: Int] = [:]
            for step in steps {
                let before = order
                switch Result(catching: { () throws(Order.Refusal) in try step.happen(to: &order) }) {
                case .success(.changed(let events)):
                    #expect(order.version == before.version + 1, "\(steps)")
                    for event in events { told[OrderTests.shortName(event), default: 0] += 1 }
                case .success(.unchanged), .failure:
                    #expect(order == before, "\(steps): \(step) must leave the order as it was")
                }
            }
            #expect(told.values.allSatisfy { $0 == 1 }, "\(steps)")
            #expect((order.status == .cancelled) == (told["order.cancelled"] == 1), "\(steps)")
            #expect((order.status == .rejected) == (told["order.rejected"] == 1), "\(steps)")
            // A charge that comes to light after a void is recorded and goes back, whoever made it.
            if !order.history.contains(where: { $0.payment == .voided }), order.payment.status != .notRequested {
                #expect(told["order.payment-requested"] == 1, "\(steps): nothing is charged unasked")
            }
            if told["order.confirmed"] == 1 { #expect(told["order.accepted"] == 1, "\(steps)") }
        }
    }
}
