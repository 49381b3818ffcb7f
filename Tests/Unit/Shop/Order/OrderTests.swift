import Events
import ShopEvents
import Testing

@testable import Order

/// Something that happens to an order.
enum OrderStep: CaseIterable, CustomStringConvertible {
    case cancel
    case captured
    case declined
    case voided
    case refunding
    case refunded

    func happen(to order: inout Order, at time: Int64 = 2000) throws(Order.Refusal) -> Order.Outcome {
        switch self {
        case .cancel: try order.cancel(at: time)
        case .captured: try order.take(.captured(OrderFixtures.total), at: time)
        case .declined: try order.take(.declined(reason: "insufficient_funds"), at: time)
        case .voided: try order.take(.voided, at: time)
        case .refunding: try order.take(.refunding(OrderFixtures.total), at: time)
        case .refunded: try order.take(.refunded(OrderFixtures.total), at: time)
        }
    }

    var description: String {
        switch self {
        case .cancel: "cancel"
        case .captured: "captured"
        case .declined: "declined"
        case .voided: "voided"
        case .refunding: "refunding"
        case .refunded: "refunded"
        }
    }
}

@Suite("An order's life")
struct OrderTests {
    /// Two things that happen one after the other, and what the second comes to: `status/payment events…`.
    struct Pair: CustomTestStringConvertible {
        let first: OrderStep
        let second: OrderStep
        let result: String
        var testDescription: String { "\(first), then \(second)" }
    }

    static let pairs = [
        Pair(first: .cancel, second: .cancel, result: "cancelled/requested unchanged"),
        Pair(first: .cancel, second: .captured, result: "cancelled/captured"),
        Pair(first: .cancel, second: .declined, result: "cancelled/declined"),
        Pair(first: .cancel, second: .voided, result: "cancelled/voided"),
        Pair(first: .cancel, second: .refunding, result: "cancelled/refunding"),
        Pair(first: .cancel, second: .refunded, result: "cancelled/refunded order.refunded"),
        Pair(first: .captured, second: .cancel, result: "cancelled/captured order.cancelled"),
        Pair(first: .captured, second: .captured, result: "confirmed/captured unchanged"),
        Pair(first: .captured, second: .declined, result: "confirmed/captured contradiction"),
        Pair(first: .captured, second: .voided, result: "confirmed/captured contradiction"),
        Pair(first: .captured, second: .refunding, result: "confirmed/refunding"),
        Pair(first: .captured, second: .refunded, result: "cancelled/refunded order.cancelled order.refunded"),
        Pair(first: .declined, second: .cancel, result: "rejected/declined refused"),
        Pair(first: .declined, second: .captured, result: "rejected/captured"),
        Pair(first: .declined, second: .declined, result: "rejected/declined unchanged"),
        Pair(first: .declined, second: .voided, result: "rejected/declined unchanged"),
        Pair(first: .declined, second: .refunding, result: "rejected/refunding"),
        Pair(first: .declined, second: .refunded, result: "rejected/refunded order.refunded"),
        Pair(first: .voided, second: .cancel, result: "rejected/voided refused"),
        Pair(first: .voided, second: .captured, result: "rejected/captured"),
        Pair(first: .voided, second: .declined, result: "rejected/voided unchanged"),
        Pair(first: .voided, second: .voided, result: "rejected/voided unchanged"),
        Pair(first: .voided, second: .refunding, result: "rejected/refunding"),
        Pair(first: .voided, second: .refunded, result: "rejected/refunded order.refunded"),
        Pair(first: .refunding, second: .cancel, result: "cancelled/refunding order.cancelled"),
        Pair(first: .refunding, second: .captured, result: "placed/refunding unchanged"),
        Pair(first: .refunding, second: .declined, result: "placed/refunding contradiction"),
        Pair(first: .refunding, second: .voided, result: "placed/refunding contradiction"),
        Pair(first: .refunding, second: .refunding, result: "placed/refunding unchanged"),
        Pair(first: .refunding, second: .refunded, result: "cancelled/refunded order.cancelled order.refunded"),
        Pair(first: .refunded, second: .cancel, result: "cancelled/refunded unchanged"),
        Pair(first: .refunded, second: .captured, result: "cancelled/refunded unchanged"),
        Pair(first: .refunded, second: .declined, result: "cancelled/refunded contradiction"),
        Pair(first: .refunded, second: .voided, result: "cancelled/refunded contradiction"),
        Pair(first: .refunded, second: .refunding, result: "cancelled/refunded unchanged"),
        Pair(first: .refunded, second: .refunded, result: "cancelled/refunded unchanged"),
    ]

    static func shortName(_ event: any Event) -> String {
        String(type(of: event).type.rawValue.dropFirst("dev.warren.".count))
    }

    static func result(of step: OrderStep, on order: inout Order) -> String {
        var words: [String]
        do throws(Order.Refusal) {
            switch try step.happen(to: &order) {
            case .unchanged: words = ["unchanged"]
            case .changed(let events): words = events.map(shortName)
            }
        } catch {
            switch error {
            case .rejected: words = ["refused"]
            case .contradiction: words = ["contradiction"]
            case .otherAmount: words = ["other amount"]
            default: words = ["another contradiction"]
            }
        }
        words.insert("\(order.status.rawValue)/\(order.payment.status.rawValue)", at: 0)
        return words.joined(separator: " ")
    }

    @Test("Placing an order asks for its payment at once")
    func placing() throws {
        let (order, events) = Order.place(OrderFixtures.draft, id: OrderFixtures.id, at: 1000)
        #expect(order.status == .placed)
        #expect(order.payment == Order.Payment(status: .requested))
        #expect(order.placedAt == 1000)
        #expect(order.updatedAt == 1000)
        #expect(order.version == 1)
        #expect(events.count == 2)
        let placed = try #require(events.first as? OrderPlaced)
        #expect(placed.subject == OrderFixtures.id)
        #expect(placed.customer == OrderFixtures.draft.customer)
        #expect(placed.lines == OrderFixtures.draft.lines)
        #expect(placed.total == OrderFixtures.total)
        let requested = try #require(events.last as? OrderPaymentRequested)
        #expect(requested.paymentMethod == "pm_card_visa")
        #expect(requested.total == OrderFixtures.total)
    }

    @Test(
        "What comes first moves a placed order on",
        arguments: [
            (.cancel, "cancelled/requested order.cancelled"),
            (.captured, "confirmed/captured order.confirmed"),
            (.declined, "rejected/declined order.rejected"),
            (.voided, "rejected/voided order.rejected"),
            (.refunding, "placed/refunding"),
            (.refunded, "cancelled/refunded order.cancelled order.refunded"),
        ] as [(OrderStep, String)]
    )
    func first(step: OrderStep, result: String) {
        var order = OrderFixtures.placed()
        #expect(Self.result(of: step, on: &order) == result)
    }

    @Test("Every pair of arrivals has its result", arguments: pairs)
    func pair(pair: Pair) {
        var order = OrderFixtures.placed()
        _ = Self.result(of: pair.first, on: &order)
        #expect(Self.result(of: pair.second, on: &order) == pair.result)
    }

    @Test("The table of pairs is complete")
    func pairsAreComplete() {
        #expect(Set(Self.pairs.map(\.testDescription)).count == OrderStep.allCases.count * OrderStep.allCases.count)
    }

    @Test("Whatever comes in whatever order, the books stay right")
    func anyOrder() throws {
        var sequences: [[OrderStep]] = [[]]
        for _ in 1...5 { sequences = sequences.flatMap { steps in OrderStep.allCases.map { steps + [$0] } } }
        #expect(sequences.count == 7776)
        for steps in sequences {
            var order = OrderFixtures.placed()
            var told: [String: Int] = [:]
            for step in steps {
                let before = order
                switch Result(catching: { () throws(Order.Refusal) in try step.happen(to: &order) }) {
                case .success(.changed(let events)):
                    #expect(order.version == before.version + 1, "\(steps): one change, one entry")
                    for event in events { told[Self.shortName(event), default: 0] += 1 }
                case .success(.unchanged), .failure:
                    #expect(order == before, "\(steps): \(step) must leave the order as it was")
                }
            }
            #expect(told.values.allSatisfy { $0 == 1 }, "\(steps): nothing is told twice")
            #expect((order.status == .cancelled) == (told["order.cancelled"] == 1), "\(steps)")
            #expect((order.status == .rejected) == (told["order.rejected"] == 1), "\(steps)")
            #expect((order.payment.status == .refunded) == (told["order.refunded"] == 1), "\(steps)")
            let allowed: [Order.Status: Set<Order.PaymentStatus>] = [
                .placed: [.requested, .refunding], .confirmed: [.captured, .refunding],
                .rejected: [.declined, .voided, .captured, .refunding, .refunded],
                .cancelled: Set(Order.PaymentStatus.allCases).subtracting([.notRequested]),
            ]
            #expect(allowed[order.status]?.contains(order.payment.status) == true, "\(steps)")
            let last = try #require(order.history.last)
            #expect(last.status == order.status)
            #expect(last.payment == order.payment.status)
        }
    }

    @Test("A charge that comes to light after its payment had ended goes back, and its refund says why")
    func lateCharge() throws {
        for end in [Order.PaymentReport.voided, .declined(reason: "lost_card")] {
            var order = OrderFixtures.placed()
            _ = try order.take(end, at: 2000)
            guard case .changed(let none) = try order.take(.captured(OrderFixtures.total), at: 3000),
                case .changed(let events) = try order.take(.refunded(OrderFixtures.total), at: 4000)
            else {
                Issue.record("both change the order")
                return
            }
            #expect(none.isEmpty)
            #expect(order.status == .rejected)
            #expect(order.payment == Order.Payment(status: .refunded))
            #expect((events.first as? OrderRefunded)?.reason == "late-charge")
        }
        var order = OrderFixtures.placed()
        _ = try order.take(.captured(OrderFixtures.total), at: 2000)
        _ = try order.cancel(at: 3000)
        guard case .changed(let events) = try order.take(.refunded(OrderFixtures.total), at: 4000) else { return }
        #expect((events.first as? OrderRefunded)?.reason == nil)
    }

    @Test("A payment of another amount changes nothing", arguments: [1299, 1301] as [Int64], ["EUR", "USD"])
    func otherAmount(amount: Int64, currency: String) {
        var order = OrderFixtures.placed()
        let other = Money(amount: amount, currency: currency)
        #expect(throws: Order.Refusal.otherAmount) { try order.take(.captured(other), at: 2000) }
        #expect(throws: Order.Refusal.otherAmount) { try order.take(.refunded(other), at: 2000) }
        #expect(order == OrderFixtures.placed())
    }

    @Test("A decline keeps the provider's reason and tells a stable one")
    func declineReason() throws {
        var order = OrderFixtures.placed()
        guard case .changed(let events) = try order.take(.declined(reason: "insufficient_funds"), at: 2000) else {
            Issue.record("a decline changes a placed order")
            return
        }
        #expect(order.payment.reason == "insufficient_funds")
        #expect((events.first as? OrderRejected)?.reason == "payment-declined")
    }

    @Test("A clock that goes back does not take the history back")
    func clock() throws {
        var order = OrderFixtures.placed(at: 5000)
        _ = try order.cancel(at: 4000)
        #expect(order.history.map(\.at) == [5000, 5000])
    }
}
