import Foundation
import Testing

@testable import Coupon
@testable import Inventory
@testable import Order
@testable import Payment
@testable import Points

/// Looks at every world that can be reached, whatever happens in whatever order.
private struct FlowExplorer {
    /// How many worlds were looked at, and in how many of them nothing was under way any more.
    struct Report {
        var worlds = 0
        var ends = 0
        /// How orders ended, one word each, by name.
        var outcomes: Set<String> = []
        /// What was wrong, and how it came to it; the first few.
        var faults: [String] = []
    }

    let goods: FlowWorld.Goods
    let troubles: FlowWorld.Troubles
    /// How many worlds are looked at, at most.
    var limit = 60_000

    /// A world, and how it was come to.
    private struct Visit {
        let world: FlowWorld
        /// Where the world before it stands in the list; nil for the first.
        let parent: Int?
        let step: FlowWorld.Step?
    }

    /// On a thread of its own: it computes for seconds, and the threads of the pool are everybody's.
    func explore(orders: Int) async -> Report {
        await withCheckedContinuation { done in
            Thread.detachNewThread { done.resume(returning: walk(orders: orders)) }
        }
    }

    private func walk(orders: Int) -> Report {
        var report = Report()
        let start = FlowWorld(orders: orders, goods, troubles: troubles)
        var seen: Set = [start.key]
        var visits = [Visit(world: start, parent: nil, step: nil)]
        var next = 0
        while next < visits.count, report.faults.count < 5 {
            if next == limit {
                report.faults.append("more than \(limit) worlds: too many to look at")
                break
            }
            let world = visits[next].world
            check(world, &report) { Self.path(to: next, in: visits) }
            for step in world.steps {
                do {
                    for after in try world.after(step) where seen.insert(after.key).inserted {
                        visits.append(Visit(world: after, parent: next, step: step))
                    }
                } catch {
                    report.faults.append("\(error) at \(step) after \(Self.path(to: next, in: visits))")
                }
            }
            next += 1
        }
        report.worlds = next
        return report
    }

    /// A shortest way to a world.
    private static func path(to index: Int, in visits: [Visit]) -> [String] {
        var steps: [String] = []
        var place: Int? = index
        while let at = place {
            if let step = visits[at].step { steps.append("\(step)") }
            place = visits[at].parent
        }
        return steps.reversed()
    }

    /// What holds in every world, and what holds where nothing comes any more by itself.
    private func check(_ world: FlowWorld, _ report: inout Report, _ path: () -> [String]) {
        func expect(_ holds: Bool, _ rule: String) {
            if !holds { report.faults.append("\(rule): \(world.key) after \(path())") }
        }
        conserves(world, expect)
        for lane in world.lanes {
            expect(!lane.isRefunded || lane.isCharged, "nothing goes back that was not charged")
            guard lane.isCharged else { continue }
            expect(lane.order.stock != .requested, "nothing is charged before its stock is there")
            expect(lane.order.coupon != .requested, "nothing is charged before its coupon is redeemed")
            expect(lane.order.points != .requested, "nothing is charged before its points are spent")
        }
        guard !world.steps.contains(where: \.comesByItself) else { return }
        report.ends += 1
        for lane in world.lanes {
            report.outcomes.insert(lane.outcome)
            ends(lane, expect)
        }
    }

    /// Nothing is lost, made or promised twice.
    private func conserves(_ world: FlowWorld, _ expect: (Bool, String) -> Void) {
        func count(_ holds: (FlowWorld.Lane) -> Bool) -> Int { world.lanes.count(where: holds) }
        let held = count { $0.reservation?.state == .held }
        let taken = count { $0.reservation?.state == .confirmed }
        expect(world.stock.reserved == held, "what is reserved is what is held")
        expect(world.stock.onHand == (goods.pieces ?? 0) - taken, "no piece is lost or made")
        expect(world.stock.available >= 0, "nothing is promised twice")
        let redeemed = count { $0.redemption?.state == .held }
        let used = count { $0.redemption?.state == .confirmed }
        expect(redeemed + used <= 1, "a coupon is one order's at most")
        expect((world.coupon.state == .reserved) == (redeemed == 1), "a coupon is reserved for who has redeemed it")
        expect((world.coupon.state == .used) == (used == 1), "a coupon is used for who has it for good")
        let spent = Int64(count { $0.spending?.state == .spent }) * FlowWorld.wanted
        expect(world.balance == (goods.points ?? 0) - spent, "no point is lost or made")
        expect(world.balance >= 0, "nobody owes points")
    }

    /// An order that nothing happens to any more by itself.
    private func ends(_ lane: FlowWorld.Lane, _ expect: (Bool, String) -> Void) {
        let order = lane.order
        let isConfirmed = order.status == .confirmed
        expect(order.status != .placed, "no order is left open")
        expect(
            (lane.isCharged && !lane.isRefunded) == isConfirmed || !lane.isCharged,
            "money that was charged is kept for a confirmed order, and only then"
        )
        expect(!isConfirmed || lane.isCharged, "what is confirmed is paid")
        expect(!isConfirmed || lane.payment?.total == order.due, "what is charged is what is left to pay")
        if goods.pieces != nil {
            expect(
                (lane.reservation?.state == .confirmed) == isConfirmed,
                "pieces are taken for a confirmed order alone"
            )
        }
        if goods.hasCoupon {
            expect(
                (lane.redemption?.state == .confirmed) == isConfirmed,
                "a coupon is used for a confirmed order alone"
            )
        }
        if goods.points != nil {
            expect((lane.spending?.state == .spent) == isConfirmed, "points are spent for a confirmed order alone")
        }
        expect(order.stock == lane.reservation?.state.asReported, "the order knows what became of its stock")
        expect(order.coupon == lane.redemption?.state.asReported, "the order knows what became of its coupon")
        if let reported = lane.spending?.state.asReported {
            expect(order.points == reported, "the order knows what became of its points")
        }
        expect(
            order.payment.status == lane.payment?.state.asReported ?? .notRequested,
            "the order knows what became of its payment"
        )
    }
}

extension FlowWorld.Lane {
    /// How the order stands, one word each.
    fileprivate var outcome: String {
        [
            order.status.rawValue, order.payment.status.rawValue, order.stock?.rawValue, order.coupon?.rawValue,
            order.points?.rawValue,
        ].compactMap(\.self).joined(separator: "/")
    }
}

extension Redemption.State {
    fileprivate var asReported: Order.ReservationStatus {
        switch self {
        case .waiting: .requested
        case .held: .reserved
        case .confirmed: .confirmed
        case .rejected: .rejected
        case .released, .expired: .released
        }
    }
}

extension Spending.State {
    fileprivate var asReported: Order.PointsStatus {
        switch self {
        case .spent: .spent
        case .rejected: .rejected
        case .restored: .restored
        case .ended: .requested
        }
    }
}

extension Reservation.State {
    fileprivate var asReported: Order.ReservationStatus {
        switch self {
        case .waiting: .requested
        case .held: .reserved
        case .confirmed: .confirmed
        case .rejected: .rejected
        case .released, .expired: .released
        }
    }
}

extension Payment.State {
    fileprivate var asReported: Order.PaymentStatus {
        switch self {
        case .pending: .requested
        case .captured: .captured
        case .declined: .declined
        case .voided: .voided
        case .refunding: .refunding
        case .refunded: .refunded
        }
    }
}

/// How many worlds there are, and how orders end in them, is what the documentation says.
@Suite("Every interleaving of an order's flow ends right")
struct FlowExplorerTests {
    private static let cancelled: Set = [
        "cancelled/declined/released", "cancelled/refunded/released", "cancelled/voided/released",
    ]
    private static let rejected: Set = [
        "rejected/declined/released", "rejected/refunded/released", "rejected/voided/released",
    ]
    private static let confirmed: Set = ["confirmed/captured/confirmed"]
    private static let without: Set = ["cancelled/voided/rejected", "rejected/voided/rejected"]

    @Test("One order and a piece for it: cancelled, late, unpaid, unanswered and retried at any moment")
    func one() async {
        let report = await FlowExplorer(goods: .init(pieces: 1), troubles: .all).explore(orders: 1)
        #expect(report.faults == [])
        #expect(report.worlds == 847)
        #expect(report.outcomes == Self.confirmed.union(Self.cancelled).union(Self.rejected))
    }

    @Test("One order and nothing in stock")
    func none() async {
        let report = await FlowExplorer(goods: .init(pieces: 0), troubles: .all).explore(orders: 1)
        #expect(report.faults == [])
        #expect(report.worlds == 32)
        #expect(report.outcomes == Self.without)
    }

    /// With all troubles there are 656,321 worlds (`WARREN_TEST_EXPLORER=full`, five minutes), and they end the same ways.
    @Test("Two orders and the last piece: the one that is paid too late for it gets its money back")
    func two() async {
        let isFull = ProcessInfo.processInfo.environment["WARREN_TEST_EXPLORER"] == "full"
        let report = await FlowExplorer(
            goods: .init(pieces: 1),
            troubles: isFull ? [.silence, .slowRefunds, .deadlines] : []
        )
        .explore(orders: 2)
        #expect(report.faults == [])
        #expect(report.worlds == (isFull ? 656_321 : 36_980))
        let late: Set = ["cancelled/refunded/rejected"]
        let all = Self.confirmed.union(Self.cancelled).union(Self.rejected).union(Self.without).union(late)
        // Nothing is voided but what the provider was silent about, or what was never asked for.
        #expect(report.outcomes == (isFull ? all : all.subtracting(["rejected/voided/released"])))
    }

    @Test("One order with a coupon and points, and no Inventory: with all troubles")
    func couponAndPoints() async {
        for points: Int64 in [0, 200] {
            let report = await FlowExplorer(goods: .init(hasCoupon: true, points: points), troubles: .all)
                .explore(orders: 1)
            #expect(report.faults == [])
            #expect(report.worlds == (points == 0 ? 361 : 2_835))
            #expect(report.outcomes.contains("confirmed/captured/confirmed/spent") == (points == 200))
        }
    }

    /// With all troubles too, by hand (`WARREN_TEST_EXPLORER=full`).
    @Test("One order with stock, coupon and points")
    func everything() async {
        let isFull = ProcessInfo.processInfo.environment["WARREN_TEST_EXPLORER"] == "full"
        let goods = FlowWorld.Goods(pieces: 1, hasCoupon: true, points: 200)
        let report = await FlowExplorer(goods: goods, troubles: isFull ? .all : [], limit: 700_000).explore(orders: 1)
        #expect(report.faults == [])
        #expect(isFull || report.worlds == 6_770)
        #expect(report.outcomes.contains("confirmed/captured/confirmed/confirmed/spent"))
        // Paid too late for one of the two: all of it goes back, the other one too.
        #expect(report.outcomes.contains("cancelled/refunded/released/released/restored"))
    }

    @Test("Two orders of one customer and one coupon: one of them gets it, or none")
    func oneCoupon() async {
        let report = await FlowExplorer(goods: .init(hasCoupon: true), troubles: []).explore(orders: 2)
        #expect(report.faults == [])
        #expect(report.worlds == 37_442)
        #expect(report.outcomes.isSuperset(of: Self.confirmed.union(["rejected/voided/rejected"])))
        #expect(report.outcomes.contains("cancelled/refunded/rejected"), "paid too late for its coupon")
    }

    @Test("Two orders of one customer, and points for one of them")
    func onePoints() async {
        let report = await FlowExplorer(goods: .init(points: 200), troubles: []).explore(orders: 2)
        #expect(report.faults == [])
        #expect(report.worlds == 2_842)
        #expect(
            report.outcomes.isSuperset(of: [
                "confirmed/captured/spent", "rejected/voided/rejected", "cancelled/refunded/restored",
            ])
        )
    }
}
