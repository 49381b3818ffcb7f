import Database
import Events
import Messaging
import MessagingTestKit
import ShopEvents
import Telemetry
import Testing

@testable import Points

@Suite("The ledger of points")
struct LedgerTests {
    /// The same numbers for the same seed (SplitMix64).
    struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    /// What has happened so far, as somebody would count it who has never seen the ledger.
    struct Story {
        static let customers = ["ada", "bob", "eve"]
        static let currencies = ["EUR", "KRW"]
        var random: Seeded
        var charges: [Charge] = []
        var orders: [(id: String, customer: String?, total: Money, points: Int64?)] = []

        init(seed: UInt64) { random = Seeded(state: seed) }

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

        mutating func pick<Element>(_ elements: [Element]) -> Element? { elements.randomElement(using: &random) }

        /// Lets something happen.
        mutating func goOn(_ desk: PointsDesk, at now: Int64, in transaction: Transaction) throws {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: try buy(desk, at: now, in: transaction)
            case 1...3: try answer(desk, at: now, in: transaction)
            case 4...5: try place(desk, at: now, in: transaction)
            default: try tell(desk, at: now, in: transaction)
            }
        }

        private mutating func buy(_ desk: PointsDesk, at now: Int64, in transaction: Transaction) throws {
            let total = Money(amount: .random(in: 1...6_000, using: &random), currency: pick(Self.currencies) ?? "")
            let id = "pts_\(charges.count)"
            let charge = Charge.request(id, by: pick(Self.customers) ?? "", total, at: now)
            charges.append(charge)
            let stored = ChargeStore.Stored(request: "", chargeID: id, answer: "")
            try desk.request(charge, paymentMethod: "pm", by: "local", under: nil, stored, in: transaction)
        }

        private mutating func answer(_ desk: PointsDesk, at now: Int64, in transaction: Transaction) throws {
            guard let charge = pick(charges) else { return }
            let id = charge.id
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                let event = PaymentTopUpRefunded(chargeID: id, refundID: "re", total: charge.total)
                try desk.topUpRefunded(event, at: now, in: transaction)
            case 1...2:
                let event = PaymentTopUpDeclined(chargeID: id, reason: "no")
                try desk.topUpDeclined(event, at: now, in: transaction)
            default:
                let event = PaymentTopUpCaptured(chargeID: id, paymentID: "pi", total: charge.total)
                try desk.topUpCaptured(event, at: now, in: transaction)
            }
        }

        private mutating func place(_ desk: PointsDesk, at now: Int64, in transaction: Transaction) throws {
            let total = Money(amount: .random(in: 1...50_000, using: &random), currency: pick(Self.currencies) ?? "")
            let points = chance(70) ? Int64.random(in: 1...min(total.amount, 900), using: &random) : nil
            let customer = chance(90) ? pick(Self.customers) : nil
            orders.append(("o-\(orders.count)", customer, total, points))
            guard chance(70) else { return }
            try tell(orders.count - 1, .accepted, desk, at: now, in: transaction)
        }

        private mutating func tell(_ desk: PointsDesk, at now: Int64, in transaction: Transaction) throws {
            guard !orders.isEmpty, let step = pick(PointsWorld.OrderStep.allCases) else { return }
            let recent = max(0, orders.count - 12)..<orders.count
            let order = Int.random(in: chance(80) ? recent : 0..<orders.count, using: &random)
            try tell(order, step, desk, at: now, in: transaction)
        }

        private func tell(
            _ number: Int,
            _ step: PointsWorld.OrderStep,
            _ desk: PointsDesk,
            at now: Int64,
            in transaction: Transaction
        ) throws {
            let order = orders[number]
            let who = PointsWorld.customer(order.customer)
            let deductions = PointsWorld.deductions(order.points)
            switch step {
            case .accepted:
                let event = OrderAccepted(
                    orderID: order.id,
                    total: order.total,
                    customer: who,
                    deductions: deductions
                )
                try desk.orderAccepted(event, at: now, in: transaction)
            case .confirmed:
                let event = OrderConfirmed(
                    orderID: order.id,
                    customer: who,
                    total: order.total,
                    deductions: deductions
                )
                try desk.orderConfirmed(event, at: now, in: transaction)
            case .cancelled:
                let event = OrderCancelled(
                    orderID: order.id,
                    customer: who,
                    total: order.total,
                    deductions: deductions
                )
                try desk.orderCancelled(event, at: now, in: transaction)
            case .rejected:
                let event = OrderRejected(
                    orderID: order.id,
                    customer: who,
                    reason: "payment-declined",
                    total: order.total,
                    deductions: deductions
                )
                try desk.orderRejected(event, at: now, in: transaction)
            }
        }
    }

    @Test("It balances after every step of any story, and says what was told to others", arguments: 1...6)
    func stories(seed: Int) async throws {
        try await PointsWorld.with { world in
            let desk = world.desk
            var story = Story(seed: UInt64(seed))
            for step in 0..<400 {
                let before = story
                let (after, check) = try await world.service.events.write { transaction in
                    var next = before
                    try next.goOn(desk, at: PointsWorld.start + Int64(step), in: transaction)
                    return (next, step.isMultiple(of: 5) ? try LedgerCheck(in: transaction) : nil)
                }
                story = after
                #expect(check?.faults ?? [] == [], "seed \(seed), step \(step)")
            }
            try await world.service.settle()
            try await agrees(world, with: story)
        }
    }

    /// What the events say was spent and restored is what the ledger has as spent; each order got its answers.
    private func agrees(_ world: PointsWorld, with story: Story) async throws {
        let currencies = Dictionary(uniqueKeysWithValues: story.orders.map { ($0.id, $0.total.currency) })
        let points = Dictionary(uniqueKeysWithValues: story.orders.map { ($0.id, $0.points) })
        let spent = try await world.service.published(PointsSpent.self)
        let restored = try await world.service.published(PointsRestored.self)
        #expect(spent.count > 20 && restored.count > 5, "the story tells of something")
        #expect(Set(spent.map(\.orderID)).count == spent.count, "nothing is spent twice")
        #expect(Set(restored.map(\.orderID)).count == restored.count, "nothing comes back twice")
        #expect(Set(restored.map(\.orderID)).isSubset(of: spent.map(\.orderID)))
        for event in spent { #expect(points[event.orderID] == event.points) }
        for event in restored { #expect(points[event.orderID] == event.points) }
        let check = try await world.check()
        #expect(check.sums.map(\.currency) == Story.currencies)
        for sums in check.sums {
            func sum(_ events: [(String, Int64)]) -> Int64 {
                events.filter { currencies[$0.0] == sums.currency }.map(\.1).reduce(0, +)
            }
            let kept = sum(spent.map { ($0.orderID, $0.points) }) - sum(restored.map { ($0.orderID, $0.points) })
            #expect(sums[.spent] == kept)
            #expect(sums[.customer] >= 0)
            #expect(sums[.sold] <= 0 && sums[.earned] <= 0 && sums[.writtenOff] <= 0)
        }
    }

    // MARK: What cannot be written, and what is seen

    private func write(_ posting: Posting, _ world: PointsWorld) async throws {
        try await world.service.events.write { try Ledger().write(posting, at: 0, in: $0) }
    }

    @Test("A balance below zero cannot be written, whatever was decided, and leaves nothing behind")
    func negative() async throws {
        try await PointsWorld.with { world in
            let account = PointsAccount(customer: "ada", currency: "EUR")
            try await world.buy(100)
            let posting = Posting.taking(101, from: account, into: .spent, given: 101, .spent, "o-1")
            await #expect(throws: DatabaseError.self) { try await write(posting, world) }
            #expect(try await world.balance() == 100)
            #expect(try await world.sum(.spent) == 0)
        }
    }

    @Test("One order spends once, whatever was decided")
    func twice() async throws {
        try await PointsWorld.with { world in
            try await world.buy(100)
            try await world.tell(.accepted, points: 10)
            let account = PointsAccount(customer: "ada", currency: "EUR")
            let posting = Posting.taking(10, from: account, into: .spent, given: 90, .spent, "o-1")
            await #expect(throws: DatabaseError.self) { try await write(posting, world) }
            #expect(try await world.balance() == 90)
        }
    }

    @Test("More points than can be counted are refused, not wrapped")
    func overflow() async throws {
        try await PointsWorld.with { world in
            let account = PointsAccount(customer: "ada", currency: "EUR")
            try await write(.giving(.max, to: account, outOf: .sold, .bought, "pts_1"), world)
            await #expect(throws: Ledger.Overflow.self) {
                try await write(.giving(1, to: account, outOf: .earned, .earned, "o-1"), world)
            }
            #expect(try await world.balance() == .max)
            // The charge of this test is none: its posting is taken away again, before the world looks.
            try await world.service.events.write { transaction in
                for table in ["entries", "postings", "balances"] { try transaction.execute("DELETE FROM \(table)") }
            }
        }
    }

    @Test(
        "Whatever is changed by hand is seen",
        arguments: [
            ("UPDATE balances SET points = points + 1 WHERE customer = 'ada'", "is another sum"),
            ("UPDATE entries SET points = points - 1 WHERE book = 'spent'", "does not balance"),
            ("UPDATE entries SET points = points - 1 WHERE book = 'spent'", "not to zero"),
            ("UPDATE entries SET currency = 'USD' WHERE book = 'spent'", "does not balance"),
            ("UPDATE entries SET balance = balance + 1 WHERE number = 1", "says another balance"),
            ("UPDATE entries SET customer = 'bob' WHERE number = 1", "is another sum"),
            ("DELETE FROM entries WHERE book = 'spent'", "does not balance"),
            ("DELETE FROM entries WHERE posting = 1", "does not balance"),
            ("UPDATE spendings SET state = 'restored'", "order o-1 lacks a posting"),
            ("UPDATE spendings SET state = 'rejected'", "of no order that has come so far"),
            ("UPDATE earnings SET state = 'taken-back'", "order o-1 lacks a posting"),
            ("DELETE FROM earnings", "of no order that has come so far"),
            ("UPDATE charges SET state = 'requested'", "in another state than its postings"),
            ("UPDATE charges SET state = 'refunded'", "in another state than its postings"),
            ("UPDATE charges SET amount = amount + 1", "posting 1 is of other points"),
            ("UPDATE spendings SET points = points + 1", "posting 2 is of other points"),
            ("UPDATE earnings SET points = points + 1", "posting 3 is of other points"),
        ]
    )
    func corruption(statement: String, fault: String) async throws {
        try await withTestService("points", hears: PointsWorld.hears, migrations: PointsWorld.migrations) { _ in
        } test: { service in
            let desk = PointsDesk(rate: Earning.Rate(basisPoints: 100), logger: .silent)
            try await service.events.write { transaction in
                let total = Money(amount: 1_000, currency: "EUR")
                let who = PointsWorld.customer("ada")
                let charge = Charge.request("pts_1", by: "ada", total, at: 0)
                let stored = ChargeStore.Stored(request: "", chargeID: "pts_1", answer: "")
                try desk.request(charge, paymentMethod: "pm", by: "local", under: nil, stored, in: transaction)
                let captured = PaymentTopUpCaptured(chargeID: "pts_1", paymentID: "pi", total: total)
                try desk.topUpCaptured(captured, at: 0, in: transaction)
                let deductions = Deductions(points: 300)
                let accepted = OrderAccepted(orderID: "o-1", total: total, customer: who, deductions: deductions)
                try desk.orderAccepted(accepted, at: 1, in: transaction)
                let confirmed = OrderConfirmed(orderID: "o-1", customer: who, total: total, deductions: deductions)
                try desk.orderConfirmed(confirmed, at: 2, in: transaction)
            }
            #expect(try await service.database.read { try LedgerCheck(in: $0) }.faults == [])
            let faults = try await service.events.write { transaction in
                try transaction.execute(statement)
                return try LedgerCheck(in: transaction).faults
            }
            #expect(faults.contains { $0.contains(fault) }, "\(faults)")
        }
    }
}
