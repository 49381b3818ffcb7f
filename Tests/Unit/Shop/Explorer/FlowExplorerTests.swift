import Foundation
import Testing

@testable import Inventory
@testable import Order
@testable import Payment

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

    let initialStock: Int
    let troubles: FlowWorld.Troubles

    /// A world, and how it was come to.
    private struct Visit {
        let world: FlowWorld
        /// Where the world before it stands in the list; nil for the first.
        let parent: Int?
        let step: FlowWorld.Step?
    }

    func explore(orders: Int) -> Report {
        var report = Report()
        let start = FlowWorld(orders: orders, stock: initialStock, troubles: troubles)
        var seen: Set = [start.key]
        var visits = [Visit(world: start, parent: nil, step: nil)]
        var next = 0
        while next < visits.count, report.faults.count < 5 {
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
        let held = world.lanes.count { $0.reservation?.state == .held }
        let taken = world.lanes.count { $0.reservation?.state == .confirmed }
        expect(world.stock.reserved == held, "what is reserved is what is held")
        expect(world.stock.onHand == initialStock - taken, "no piece is lost or made")
        expect(world.stock.available >= 0, "nothing is promised twice")
        for lane in world.lanes {
            expect(!lane.isRefunded || lane.isCharged, "nothing goes back that was not charged")
            if lane.isCharged { expect(lane.order.stock != .requested, "nothing is charged before its stock is there") }
        }
        guard !world.steps.contains(where: \.comesByItself) else { return }
        report.ends += 1
        for lane in world.lanes {
            report.outcomes.insert(
                "\(lane.order.status)/\(lane.order.payment.status.rawValue)/\(lane.order.stock?.rawValue ?? "")"
            )
            expect(lane.order.status != .placed, "no order is left open")
            expect(
                lane.isCharged && !lane.isRefunded == (lane.order.status == .confirmed) || !lane.isCharged,
                "money that was charged is kept for a confirmed order, and only then"
            )
            expect(lane.order.status != .confirmed || lane.isCharged, "what is confirmed is paid")
            let has = lane.reservation?.state == .confirmed
            expect(has == (lane.order.status == .confirmed), "pieces are taken for a confirmed order, and only then")
            expect(lane.order.stock == lane.reservation?.state.asReported, "the order knows what became of its stock")
            expect(
                lane.order.payment.status == lane.payment?.state.asReported ?? .notRequested,
                "the order knows what became of its payment"
            )
        }
    }
}

extension Reservation.State {
    fileprivate var asReported: Order.StockStatus {
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
    func one() {
        let report = FlowExplorer(initialStock: 1, troubles: .all).explore(orders: 1)
        #expect(report.faults == [])
        #expect(report.worlds == 847)
        #expect(report.outcomes == Self.confirmed.union(Self.cancelled).union(Self.rejected))
    }

    @Test("One order and nothing in stock")
    func none() {
        let report = FlowExplorer(initialStock: 0, troubles: .all).explore(orders: 1)
        #expect(report.faults == [])
        #expect(report.worlds == 32)
        #expect(report.outcomes == Self.without)
    }

    /// With all troubles there are 656,321 worlds (`WARREN_TEST_EXPLORER=full`, five minutes), and they end the same ways.
    @Test("Two orders and the last piece: the one that is paid too late for it gets its money back")
    func two() {
        let isFull = ProcessInfo.processInfo.environment["WARREN_TEST_EXPLORER"] == "full"
        let report = FlowExplorer(initialStock: 1, troubles: isFull ? [.silence, .slowRefunds, .deadlines] : [])
            .explore(orders: 2)
        #expect(report.faults == [])
        #expect(report.worlds == (isFull ? 656_321 : 36_980))
        let late: Set = ["cancelled/refunded/rejected"]
        let all = Self.confirmed.union(Self.cancelled).union(Self.rejected).union(Self.without).union(late)
        // Nothing is voided but what the provider was silent about, or what was never asked for.
        #expect(report.outcomes == (isFull ? all : all.subtracting(["rejected/voided/released"])))
    }
}
