import Events
import Foundation
import ShopEvents
import Testing

@testable import Inventory
@testable import Order
@testable import Payment
@testable import Points

/// A confirmed order of five pieces, paid by points and a card, of which lines are cancelled, and then perhaps all: the customer, Order,
/// Payment and its provider, Inventory and Points, with what is under way between them.
private struct PartWorld {
    /// What can happen next.
    enum Step: Hashable, CustomStringConvertible {
        case keep(Int)
        case cancel
        /// The oldest event that Order has said and a hearer has not heard.
        case hear(Hearer)
        /// The oldest event that a hearer has said and Order has not heard.
        case answer(Hearer)
        /// The provider has done with a refund that it took its time with: of a part, or, as 0, of the whole.
        case provider(Int)

        var description: String {
            switch self {
            case .keep(let count): "keep \(count)"
            case .cancel: "cancel"
            case .hear(let hearer): "\(hearer) hears"
            case .answer(let hearer): "Order hears \(hearer)"
            case .provider(let part): "the provider is done with \(part == 0 ? "the whole" : "part \(part)")"
            }
        }
    }

    enum Hearer: String, CaseIterable {
        case payment, inventory, points
    }

    static let piece: Int64 = 333
    static let total = Money(amount: 5 * piece, currency: "EUR")

    var order: Order
    var payment: Payment
    var parts: [PartRefund] = []
    var reservation: Reservation
    var spending: Spending
    /// Wishes that the customer has still, each of which comes once.
    var wishes: Set<Step> = [.keep(4), .keep(2), .cancel]
    var said: [Hearer: [any Event]] = [:]
    var answers: [Hearer: [any Event]] = [:]
    /// What the provider has been asked to give back, by part, the whole as 0; and what it has given.
    var asked: [Int: Int64] = [:]
    var given: [Int: Int64] = [:]
    /// Pieces that are back on the shelf, and points with the customer.
    var pieces = 0
    var restored: Int64 = 0
    /// What the customer was told to have back.
    var told: Int64 = 0

    init() throws {
        let customer = Customer(email: "ada@example.com", name: "Ada", id: "ada")
        let draft = OrderDraft(
            customer: customer,
            lines: [OrderLine(sku: "TEA", quantity: 5, unitPrice: Self.piece)],
            total: Self.total,
            paymentMethod: "pm_card_visa",
            deductions: Deductions(points: 400)
        )
        var order = Order.place(draft, id: "o", awaitsStock: true, at: 0).order
        _ = try order.take(.reserved(), of: .stock, at: 0)
        _ = try order.take(.spent(400), at: 0)
        _ = try order.take(.captured(order.due), at: 0)
        _ = try order.take(.confirmed, of: .stock, at: 0)
        self.order = order
        var payment = Payment.requested(orderID: "o", total: order.due, paymentMethod: "pm_card_visa", at: 0)
        _ = payment.settle(.captured(paymentID: "pi"), at: 0)
        self.payment = payment
        reservation = Reservation(
            id: "o",
            owner: .order,
            lines: [.init(sku: "TEA", quantity: 5)],
            state: .confirmed,
            reason: nil,
            expiresAt: 0,
            createdAt: 0,
            updatedAt: 0
        )
        let account = PointsAccount(customer: "ada", currency: "EUR")
        spending = Spending(orderID: "o", account: account, points: 400, state: .spent, createdAt: 0, updatedAt: 0)
    }

    /// What tells two worlds apart: not how the order came there.
    var key: String {
        func names(_ events: [Hearer: [any Event]]) -> String {
            Hearer.allCases.map { hearer in (events[hearer] ?? []).map { "\($0)" }.joined(separator: "+") }
                .joined(separator: "/")
        }
        let parts = parts.map { "\($0.number)\($0.state)" }.joined()
        let order = "\(order.status) \(order.payment.status) \(order.parts) \(order.points.map(\.rawValue) ?? "-")"
        return [
            order, "\(self.order.stock.map(\.rawValue) ?? "-")", "\(payment.state)", parts,
            "\(reservation.state)\(reservation.lines)", "\(spending.state)\(spending.givenBack)",
            wishes.map(\.description).sorted().joined(separator: ","), names(said), names(answers),
            "\(asked.sorted { $0.key < $1.key })\(given.sorted { $0.key < $1.key })", "\(pieces) \(restored) \(told)",
        ].joined(separator: "|")
    }

    var steps: [Step] {
        Array(wishes) + Hearer.allCases.filter { said[$0]?.isEmpty == false }.map(Step.hear)
            + Hearer.allCases.filter { answers[$0]?.isEmpty == false }.map(Step.answer)
            + asked.keys.filter { given[$0] == nil }.map(Step.provider)
    }

    /// The worlds that a step can lead to: a refund is there at once, or takes its time.
    func after(_ step: Step) throws -> [PartWorld] {
        var next = self
        switch step {
        case .keep(let count):
            next.wishes.remove(step)
            next.wish { order throws(Order.Refusal) in try order.keep(["TEA": count], at: 0) }
        case .cancel:
            next.wishes.remove(step)
            next.wish { order throws(Order.Refusal) in try order.cancel(at: 0) }
        case .hear(let hearer):
            guard let event = next.said[hearer]?.removeFirst() else { return [] }
            switch hearer {
            case .payment: return try next.paid(event)
            case .inventory: next.shelved(event)
            case .points: next.pointed(event)
            }
        case .answer(let hearer):
            guard let event = next.answers[hearer]?.removeFirst() else { return [] }
            try next.take(event)
        case .provider(let part):
            next.given[part] = next.asked[part]
            next.settle(part)
        }
        return [next]
    }

    /// A customer's wish; what is refused changes nothing.
    private mutating func wish(_ body: (inout Order) throws(Order.Refusal) -> Order.Outcome) {
        guard case .changed(let events)? = try? body(&order) else { return }
        say(events)
    }

    private mutating func say(_ events: [any Event]) {
        for event in events {
            switch event {
            case is OrderLinesCancelled, is OrderCancelled:
                for hearer in Hearer.allCases { said[hearer, default: []].append(event) }
            case let event as OrderPartlyRefunded: told += event.total.amount
            case let event as OrderRefunded: told += event.total.amount
            default: break
            }
        }
    }

    // MARK: Payment and its provider

    private func paid(_ event: any Event) throws -> [PartWorld] {
        var now = self
        let part: Int
        switch event {
        case let event as OrderLinesCancelled:
            guard let money = event.refund else { return [now] }
            part = event.number
            now.parts.append(PartRefund(orderID: "o", number: part, money: money, createdAt: 0, updatedAt: 0))
            now.asked[part] = money.amount
        default:
            guard case .refund = now.payment.cancel(at: 0) else { return [now] }
            part = 0
            now.asked[0] = now.payment.total.amount - now.asked.values.reduce(0, +)
        }
        var late = now
        if part == 0 {
            if let told = late.payment.awaitRefund("re", at: 0) { late.announce(told) }
        } else {
            late.parts[late.parts.count - 1].await("re-\(part)", at: 0)
        }
        now.given[part] = now.asked[part]
        now.settle(part)
        return [now, late]
    }

    /// The provider has given something back.
    ///
    /// All is back only when the last of it is, as the gateway counts.
    private mutating func settle(_ part: Int) {
        if let index = parts.firstIndex(where: { $0.number == part }) {
            if let event = parts[index].refund("re-\(part)", at: 0) { answers[.payment, default: []].append(event) }
        }
        guard given[0] != nil, given.count == asked.count, payment.state == .refunding else { return }
        if let told = payment.refund("re", at: 0) { announce(told) }
    }

    private mutating func announce(_ told: Payment.Announcement) {
        if let event = told.event(for: .order) { answers[.payment, default: []].append(event) }
    }

    // MARK: Inventory and Points

    private mutating func shelved(_ event: any Event) {
        let before = reservation
        let change =
            (event as? OrderLinesCancelled).map { event in
                reservation.linesCancelled(event.lines.map { .init(sku: $0.sku, quantity: $0.quantity) }, at: 0)
            } ?? reservation.orderEnded(at: 0)
        guard let change else { return }
        if change.move == .putBack { pieces += (change.lines ?? before.lines).reduce(0) { $0 + $1.quantity } }
        if case .released(let event)? = change.announcement { answers[.inventory, default: []].append(event) }
    }

    private mutating func pointed(_ event: any Event) {
        if let event = event as? OrderLinesCancelled {
            guard let points = event.points else { return }
            restored += spending.linesCancelled(giving: points, "o/\(event.number)", at: 0)?.change ?? 0
        } else if let change = spending.orderEnded(at: 0) {
            restored += change.posting?.change ?? 0
            if case .restored(let event)? = change.announcement { answers[.points, default: []].append(event) }
        }
    }

    // MARK: Order

    private mutating func take(_ event: any Event) throws {
        let outcome: Order.Outcome
        switch event {
        case let event as PaymentPartlyRefunded:
            outcome = try order.take(refundOfPart: event.number, event.total, at: 0)
        case let event as PaymentRefundRequested: outcome = try order.take(.refunding(event.total), at: 0)
        case let event as PaymentRefunded: outcome = try order.take(.refunded(event.total), at: 0)
        case is StockReleased: outcome = try order.take(.released, of: .stock, at: 0)
        case let event as PointsRestored: outcome = try order.take(.restored(event.points), at: 0)
        default: return
        }
        if case .changed(let events) = outcome { say(events) }
    }
}

@Suite("Every interleaving of partial cancellations and a cancellation")
struct PartExplorerTests {
    @Test(
        "Money, pieces and points go back to the cent, the piece and the point, and the customer is told of all of it"
    )
    func all() async throws {
        let report = try await withCheckedThrowingContinuation { done in
            Thread.detachNewThread { done.resume(with: Result { try Self.explore() }) }
        }
        #expect(report.faults == [])
        #expect(report.worlds == 3_860)
        #expect(report.outcomes == ["cancelled", "kept 5", "kept 4", "kept 2"])
    }

    private struct Report {
        var worlds = 0
        var faults: [String] = []
        var outcomes: Set<String> = []
    }

    private static func explore() throws -> Report {
        var report = Report()
        let start = try PartWorld()
        var seen: Set = [start.key]
        var open = [(world: start, path: [PartWorld.Step]())]
        while let (world, path) = open.popLast(), report.faults.count < 5 {
            report.worlds += 1
            check(world, path, &report)
            for step in world.steps {
                do {
                    for after in try world.after(step) where seen.insert(after.key).inserted {
                        open.append((after, path + [step]))
                    }
                } catch {
                    report.faults.append("\(error) at \(step) after \(path)")
                }
            }
        }
        return report
    }

    private static func check(_ world: PartWorld, _ path: [PartWorld.Step], _ report: inout Report) {
        func expect(_ holds: Bool, _ rule: String) {
            if !holds { report.faults.append("\(rule) after \(path)") }
        }
        let due = world.order.due.amount
        expect(world.asked.values.reduce(0, +) <= due, "no more is asked back than was paid")
        expect(world.told <= world.given.values.reduce(0, +), "nobody is told of money that is not back")
        // Nothing comes by itself any more; the customer may be content.
        guard Set(world.steps) == world.wishes else { return }
        let back = world.given.values.reduce(0, +)
        expect(world.told == back, "the customer is told of all that is back")
        expect(world.order.parts.allSatisfy { $0.refundStatus == .completed }, "every part is told")
        if world.order.status == .cancelled {
            report.outcomes.insert("cancelled")
            expect(back == due && world.order.payment.status == .refunded, "all of it goes back")
            expect(world.pieces == 5 && world.restored == 400, "so do the pieces and points")
            expect(world.order.points == .restored && world.order.stock == .released, "and the order knows")
        } else {
            let left = world.order.linesLeft.reduce(0) { $0 + $1.quantity }
            report.outcomes.insert("kept \(left)")
            expect(back == due - world.order.refundLeft.amount, "the share of what is cancelled goes back")
            expect(world.pieces == 5 - left, "so do its pieces")
            expect(400 - world.restored == world.order.pointsLeft, "and its points")
        }
    }
}
