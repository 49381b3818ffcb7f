import ShopEvents
import Testing

@testable import Points

@Suite("The points of one order, pure values")
struct SpendingTests {
    static let account = PointsAccount(customer: "ada", currency: "EUR")

    /// One that stands there.
    static func spending(_ state: Spending.State) -> Spending {
        let isTombstone = state == .ended
        return Spending(
            orderID: "o-1",
            account: isTombstone ? nil : account,
            points: isTombstone ? 0 : 800,
            state: state,
            createdAt: 1_000,
            updatedAt: 1_000
        )
    }

    /// A change in words: `spent customer:-800,spent:800`.
    static func words(_ change: Spending.Change?) -> String {
        guard let change else { return "nothing" }
        let said =
            switch change.announcement {
            case nil: "silent"
            case .spent(let event): "spent \(event.points)"
            case .rejected(let event): "rejected \(event.reason)"
            case .restored(let event): "restored \(event.points)"
            }
        return "\(said) \(words(change.posting))"
    }

    static func words(_ posting: Posting?) -> String {
        posting?.entries.map { "\($0.book.rawValue):\($0.points)" }.joined(separator: ",") ?? "-"
    }

    @Test(
        "An order gets all of its points or none",
        arguments: [
            (799, "rejected", "rejected insufficient-points -"), (0, "rejected", "rejected insufficient-points -"),
            (800, "spent", "spent 800 customer:-800,spent:800"), (801, "spent", "spent 800 customer:-800,spent:800"),
        ] as [(Int64, String, String)]
    )
    func beginnings(balance: Int64, state: String, words: String) {
        let (spending, change) = Spending.forOrder("o-1", 800, of: Self.account, given: balance, at: 1_000)
        #expect(spending.state.rawValue == state)
        #expect(Self.words(change) == words)
        #expect(spending == Self.spending(spending.state))
    }

    @Test("Whom nobody has made sure of has no points")
    func nobody() {
        let (spending, change) = Spending.forOrder("o-1", 1, of: nil, given: 1_000, at: 0)
        #expect(spending.state == .rejected)
        #expect(Self.words(change) == "rejected insufficient-points -")
    }

    @Test("Every step has its result in every state", arguments: Spending.State.allCases)
    func transitions(state: Spending.State) {
        let again = Self.spending(state).acceptedAgain()
        #expect(Self.words(again) == (state == .ended ? "rejected order-ended -" : "nothing"))
        var spending = Self.spending(state)
        let change = spending.orderEnded(at: 2_000)
        guard state == .spent else {
            #expect(change == nil)
            #expect(spending == Self.spending(state), "what changes nothing leaves it as it was")
            return
        }
        #expect(Self.words(change) == "restored 800 customer:800,spent:-800")
        #expect(spending.state == .restored)
        #expect(spending.updatedAt == 2_000)
        #expect(spending.orderEnded(at: 3_000) == nil, "no points come back twice")
    }

    @Test("A tombstone is of nobody, and refuses")
    func tombstone() {
        let tombstone = Spending.tombstone("o-1", at: 1_000)
        #expect(tombstone == Self.spending(.ended))
        #expect(tombstone.isTombstone)
    }
}

@Suite("The points that an order earns, pure values")
struct EarningTests {
    static func rate(_ points: Int64) -> Earning.Rate { Earning.Rate(basisPoints: points) }

    @Test(
        "Points are given for what the card has paid, rounded down",
        arguments: [
            (100, 100, nil, 1), (99, 100, nil, 0), (199, 100, nil, 1), (10_000, 100, 3_000, 70),
            (100, 10_000, nil, 100),
            (100, 0, nil, 0), (100, 100, 100, 0), (100, 100, 200, 0), (999_999_999_999, 10_000, nil, 999_999_999_999),
        ] as [(Int64, Int64, Int64?, Int64)]
    )
    func amounts(total: Int64, rate: Int64, deducted: Int64?, points: Int64) {
        let earned = Earning.forOrder(
            "o-1",
            of: "ada",
            Money(amount: total, currency: "EUR"),
            less: deducted.map { Deductions(discount: $0 - $0 / 3, points: $0 / 3) },
            at: Self.rate(rate),
            now: 0
        )
        #expect((earned?.earning.points ?? 0) == points)
        guard points > 0 else { return #expect(earned == nil, "nothing is kept of what earns nothing") }
        #expect(SpendingTests.words(earned?.posting) == "customer:\(points),earned:\(-points)")
    }

    @Test("Every step has its result in every state", arguments: Earning.State.allCases)
    func transitions(state: Earning.State) {
        let before = Earning(
            orderID: "o-1",
            account: state == .ended ? nil : SpendingTests.account,
            points: state == .ended ? 0 : 50,
            state: state,
            createdAt: 0,
            updatedAt: 0
        )
        let balances: [(Int64, String)] = [
            (60, "customer:-50,earned:50"), (50, "customer:-50,earned:50"),
            (20, "customer:-20,earned:50,written-off:-30"), (0, "earned:50,written-off:-50"),
        ]
        for (balance, words) in balances {
            var earning = before
            let posting = earning.orderEnded(given: balance, at: 1)
            #expect(SpendingTests.words(posting) == (state == .earned ? words : "-"))
            #expect(earning.state == (state == .earned ? .takenBack : state))
            #expect(earning.orderEnded(given: balance, at: 2) == nil, "nothing is taken back twice")
        }
        #expect(Earning.tombstone("o-1", at: 0).state == .ended)
    }

    @Test("Every posting comes to zero, and takes no more than there is")
    func postings() {
        for points in [1, 7, 100] as [Int64] {
            for balance in [-5, 0, 1, 6, 7, 99, 100, 1_000] as [Int64] {
                let posting = Posting.taking(
                    points,
                    from: SpendingTests.account,
                    into: .sold,
                    given: balance,
                    .refunded,
                    "c"
                )
                #expect(posting.entries.map(\.points).reduce(0, +) == 0)
                #expect(posting.entries.count >= 2)
                #expect(!posting.entries.contains { $0.points == 0 })
                #expect(posting.change == -min(points, max(balance, 0)))
            }
        }
    }
}
