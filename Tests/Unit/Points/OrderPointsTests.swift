import Database
import Events
import Messaging
import MessagingTestKit
import ShopEvents
import Testing

@testable import Points

@Suite("What orders do to points, whatever comes first")
struct OrderPointsTests {
    /// What comes of an order of 50.00 EUR that asks for 800 of 1,000 points, and would earn 42.
    struct Story: Sendable, CustomTestStringConvertible {
        /// Accepted, confirmed, cancelled (X), rejected, in the order in which they come.
        let steps: String
        let said: [String]
        let balance: Int64
        let spending: Spending.State?
        let earning: Earning.State?
        var testDescription: String { steps }

        init(
            _ steps: String,
            _ said: [String],
            _ balance: Int64,
            _ spending: Spending.State?,
            _ earning: Earning.State?
        ) {
            self.steps = steps
            self.said = said
            self.balance = balance
            self.spending = spending
            self.earning = earning
        }
    }

    private func play(_ story: Story, points: Int64?, by customer: String? = "ada", has: Int64 = 1_000) async throws {
        try await PointsWorld.with { world in
            if has > 0 { try await world.buy(has) }
            for step in story.steps.compactMap(PointsWorld.OrderStep.init(rawValue:)) {
                try await world.tell(step, points: points, by: customer)
            }
            let said = try await world.said()
            let balance = try await world.balance()
            let spending = try await world.spending()?.state
            let earning = try await world.earning()?.state
            #expect(said == story.said)
            #expect(balance == story.balance)
            #expect(spending == story.spending)
            #expect(earning == story.earning)
        }
    }

    static let refused = "rejected order-ended"

    @Test("Lines are cancelled: their points come back, what they earned goes, and the rest when all is cancelled")
    func linesCancelled() async throws {
        try await PointsWorld.with { world in
            try await world.buy(1_000)
            try await world.tell(.accepted)
            try await world.tell(.confirmed)
            // 200 are left, and 42 of 4,200 that the card paid were earned.
            #expect(try await world.balance() == 242)
            try await world.cancelLines(1, worth: 1_000, leaving: 4_000, points: 160)
            #expect(try await world.balance() == 242 + 160 - 8)
            try await world.cancelLines(2, worth: 1_000, leaving: 3_000, points: 160)
            #expect(try await world.balance() == 394 + 160 - 8)
            #expect(try await world.said() == ["spent"], "Order knows what it has asked for")
            try await world.tell(.cancelled)
            #expect(try await world.said() == ["spent", "restored"])
            #expect(try await world.balance() == 1_000)
            let restored = try await world.service.published(PointsRestored.self)
            #expect(restored == [PointsRestored(orderID: "o-1", points: 480)])
        }
    }

    @Test("What was earned is taken back by its share, rounded down, of orders without points too")
    func linesCancelledWithoutPoints() async throws {
        try await PointsWorld.with { world in
            try await world.tell(.confirmed, points: nil)
            #expect(try await world.balance() == 50)
            for number in 1...3 { try await world.cancelLines(number, worth: 99, leaving: 5_000 - 99 * Int64(number)) }
            #expect(try await world.balance() == 48, "99 of 5,000 are less than a point of 50; 99 of 4,901 are one")
            try await world.cancelLines(4, worth: 4_000, leaving: 703)
            #expect(try await world.balance() == 8)
            try await world.cancelLines(5, of: "o-9", worth: 100, leaving: 100)
            try await world.tell(.cancelled, points: nil)
            #expect(try await world.balance() == 0)
        }
    }

    @Test("More points than an order has spent, or of one that spent none, are an operator's, and none move")
    func linesCancelledWrongly() async throws {
        try await PointsWorld.with(deadLetters: 2) { world in
            try await world.buy(1_000)
            try await world.tell(.accepted)
            try await world.cancelLines(1, worth: 1_000, leaving: 4_000, points: 800)
            try await world.cancelLines(1, of: "o-2", worth: 1_000, leaving: 4_000, points: 1)
            #expect(try await world.balance() == 200)
            let letters = try await world.service.deadLetters()
            #expect(Set(letters.map(\.errorClass)) == ["points.other-amount", "points.unknown-order"])
        }
    }

    @Test(
        "An order that asks for points: each pair in both orders, and each twice",
        arguments: [
            Story("A", ["spent"], 200, .spent, nil),
            Story("AA", ["spent"], 200, .spent, nil),
            Story("AC", ["spent"], 242, .spent, .earned),
            Story("CA", ["spent"], 242, .spent, .earned),
            Story("AX", ["spent", "restored"], 1_000, .restored, .ended),
            Story("XA", [refused], 1_000, .ended, .ended),
            Story("AR", ["spent", "restored"], 1_000, .restored, nil),
            Story("RA", [refused], 1_000, .ended, nil),
            Story("CX", [], 1_000, .ended, .takenBack),
            Story("XC", [], 1_000, .ended, .ended),
            Story("CR", [], 1_000, .ended, .takenBack),
            Story("RC", [], 1_000, .ended, nil),
            Story("XR", [], 1_000, .ended, .ended),
            Story("RX", [], 1_000, .ended, .ended),
            Story("CC", [], 1_042, nil, .earned),
            Story("XX", [], 1_000, .ended, .ended),
            Story("RR", [], 1_000, .ended, nil),
        ]
    )
    func pairs(story: Story) async throws { try await play(story, points: 800) }

    @Test(
        "An order that asks for points: all three, whatever comes first",
        arguments: [
            Story("ACX", ["spent", "restored"], 1_000, .restored, .takenBack),
            Story("CAX", ["spent", "restored"], 1_000, .restored, .takenBack),
            Story("AXC", ["spent", "restored"], 1_000, .restored, .ended),
            Story("XAC", [refused], 1_000, .ended, .ended),
            Story("XCA", [refused], 1_000, .ended, .ended),
            Story("CXA", [refused], 1_000, .ended, .takenBack),
            Story("ARX", ["spent", "restored"], 1_000, .restored, .ended),
            Story("AXXA", ["spent", "restored"], 1_000, .restored, .ended),
            Story("XAXA", [refused, refused], 1_000, .ended, .ended),
        ]
    )
    func triples(story: Story) async throws { try await play(story, points: 800) }

    @Test(
        "An order whose customer has not got so many is refused, and nothing of it comes back",
        arguments: ["A", "AX", "AR", "AXA"]
    )
    func insufficient(steps: String) async throws {
        let earning: Earning.State? = steps.contains("X") ? .ended : nil
        try await play(
            Story(steps, ["rejected insufficient-points"], 799, .rejected, earning),
            points: 800,
            has: 799
        )
    }

    @Test(
        "An order without points earns, and gives back what it earned",
        arguments: [
            Story("A", [], 1_000, nil, nil), Story("AC", [], 1_050, nil, .earned), Story("CC", [], 1_050, nil, .earned),
            Story("CX", [], 1_000, nil, .takenBack), Story("CXX", [], 1_000, nil, .takenBack),
            Story("XC", [], 1_000, nil, .ended), Story("CR", [], 1_000, nil, .takenBack),
            Story("R", [], 1_000, nil, nil),
        ]
    )
    func withoutPoints(story: Story) async throws { try await play(story, points: nil) }

    @Test("An order without points, of a customer whom nobody has made sure of, leaves no trace")
    func noTrace() async throws {
        for steps in ["ACX", "XCA", "RA"] {
            try await play(Story(steps, [], 1_000, nil, nil), points: nil, by: nil)
        }
    }

    @Test("Points of one whom nobody has made sure of are refused; of another currency they do not count")
    func others() async throws {
        try await play(Story("A", ["rejected insufficient-points"], 1_000, .rejected, nil), points: 1, by: nil)
        try await PointsWorld.with { world in
            try await world.buy(1_000, currency: "EUR")
            try await world.tell(.accepted, points: 10, currency: "USD")
            #expect(try await world.said() == ["rejected insufficient-points"])
        }
    }

    @Test("Two orders want the same points at once: one gets them")
    func spentTwice() async throws {
        try await PointsWorld.with { world in
            try await world.buy(1_000)
            try await withThrowingTaskGroup { group in
                for number in 1...8 {
                    group.addTask { try await world.tell(.accepted, "o-\(number)", points: 600) }
                }
                try await group.waitForAll()
            }
            let spent = try await world.service.published(PointsSpent.self)
            let rejected = try await world.service.published(PointsRejected.self)
            #expect(spent.map(\.points) == [600])
            #expect(rejected.map(\.reason) == Array(repeating: "insufficient-points", count: 7))
            #expect(try await world.balance() == 400)
            try await world.tell(.cancelled, spent.first?.orderID ?? "", points: 600)
            #expect(try await world.balance() == 1_000, "what came back can be spent by the next one")
            try await world.tell(.accepted, "o-9", points: 1_000)
            #expect(try await world.balance() == 0)
        }
    }

    @Test("What an order earned and its customer has spent is written off: nobody owes points")
    func writtenOff() async throws {
        try await PointsWorld.with { world in
            try await world.tell(.confirmed, "o-1", points: nil, total: 10_000)
            #expect(try await world.balance() == 100)
            try await world.tell(.accepted, "o-2", points: 70)
            try await world.tell(.cancelled, "o-1", points: nil, total: 10_000)
            #expect(try await world.balance() == 0)
            #expect(try await world.sum(.writtenOff) == -70)
            #expect(try await world.sum(.earned) == 0)
            #expect(world.logs.messages.contains { $0.contains("written off") })
            try await world.tell(.cancelled, "o-2", points: 70)
            #expect(try await world.balance() == 70, "what was written off is not asked for again")
        }
    }

    @Test("What an order spent comes back before what it earned is taken")
    func restoredFirst() async throws {
        try await PointsWorld.with { world in
            try await world.buy(800)
            for step in [.accepted, .confirmed] as [PointsWorld.OrderStep] { try await world.tell(step) }
            #expect(try await world.balance() == 42)
            try await world.tell(.accepted, "o-2", points: 42)
            try await world.tell(.cancelled)
            #expect(try await world.balance() == 758)
            #expect(try await world.sum(.writtenOff) == 0)
        }
    }

    @Test("An event that is delivered twice does its work once")
    func duplicate() async throws {
        try await PointsWorld.with { world in
            try await world.buy(1_000)
            let event = OrderAccepted(
                orderID: "o-1",
                total: Money(amount: 5_000, currency: "EUR"),
                customer: PointsWorld.customer("ada"),
                deductions: Deductions(points: 800)
            )
            for _ in 1...3 { try await world.service.receive(event, id: "e-1") }
            #expect(try await world.said() == ["spent"])
            #expect(try await world.balance() == 200)
        }
    }

    @Test("A confirmed order that has spent nothing of what it asked for is said")
    func confirmedWithoutPoints() async throws {
        try await PointsWorld.with { world in
            try await world.tell(.confirmed)
            #expect(world.logs.messages.contains("A confirmed order has not spent its points"))
        }
    }

    @Test("A shop that gives nothing for orders keeps nothing of them")
    func noRate() async throws {
        try await PointsWorld.with(rate: 0) { world in
            try await world.tell(.confirmed, points: nil)
            #expect(try await world.earning() == nil)
            #expect(try await world.balance() == 0)
        }
    }
}
