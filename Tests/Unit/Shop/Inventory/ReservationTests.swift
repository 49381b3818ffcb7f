import ShopEvents
import Telemetry
import Testing

@testable import Inventory

/// What can happen to a reservation.
enum ReservationStep: String, CaseIterable, Sendable {
    case placedAgain, stockFreed, stockLeft, waitOver, confirmed, ended, expired
}

@Suite("A reservation, a pure value")
struct ReservationTests {
    static let terms = Reservation.Terms(keep: 60_000, wait: 5_000)
    static let line = Reservation.Line(sku: "TEA", quantity: 2)
    static let free = ["TEA": Stock(onHand: 5, reserved: 3)]
    static let locked = ["TEA": Stock(onHand: 5, reserved: 4)]
    static let gone = ["TEA": Stock(onHand: 1, reserved: 0)]

    static func reservation(_ state: Reservation.State, of owner: Reservation.Owner = .order) -> Reservation {
        Reservation(
            id: "o-1",
            owner: owner,
            lines: [line],
            state: state,
            reason: nil,
            expiresAt: 9_000,
            createdAt: 1_000,
            updatedAt: 1_000
        )
    }

    static func take(
        _ step: ReservationStep,
        on reservation: inout Reservation,
        given stocks: [String: Stock]
    )
        -> Reservation.Change?
    {
        switch step {
        case .placedAgain: reservation.placedAgain()
        case .stockFreed, .stockLeft: reservation.reconsider(given: stocks, terms, at: 2_000)
        case .waitOver: reservation.waitIsOver(given: stocks, terms, at: 2_000)
        case .confirmed: reservation.orderConfirmed(given: stocks, at: 2_000)
        case .ended: reservation.orderEnded(at: 2_000)
        case .expired: reservation.expire(at: 2_000)
        }
    }

    /// A change in words: `held reserve stock.reserved`.
    static func words(_ reservation: Reservation, _ change: Reservation.Change?) -> String {
        guard let change else { return "nothing" }
        let move = change.move.map { "\($0)" } ?? "-"
        let said =
            switch change.announcement {
            case nil: "silent"
            case .reserved: "reserved"
            case .rejected(let event): "rejected \(event.reason) \(event.skus.joined(separator: ","))"
            case .confirmed: "confirmed"
            case .released(let event): "released \(event.reason)"
            }
        return "\(reservation.state.rawValue) \(move) \(said)"
    }

    /// Every transition, for stock that is free, locked and gone; what is not here does nothing.
    static let table: [Reservation.State: [ReservationStep: [String]]] = [
        .waiting: [
            .stockFreed: ["held reserve reserved", "nothing", "rejected - rejected out-of-stock TEA"],
            .stockLeft: ["held reserve reserved", "nothing", "rejected - rejected out-of-stock TEA"],
            .waitOver: [
                "held reserve reserved", "rejected - rejected stock-locked TEA", "rejected - rejected out-of-stock TEA",
            ],
            .confirmed: [
                "confirmed takeFree confirmed", "rejected - rejected reservation-expired TEA",
                "rejected - rejected reservation-expired TEA",
            ],
            .ended: Array(repeating: "released - released order-ended", count: 3),
        ],
        .held: [
            .confirmed: Array(repeating: "confirmed take confirmed", count: 3),
            .ended: Array(repeating: "released free released order-ended", count: 3),
            .expired: Array(repeating: "expired free released expired", count: 3),
        ],
        .confirmed: [.ended: Array(repeating: "released putBack released order-ended", count: 3)],
        .released: [:],
        .expired: [
            .confirmed: [
                "confirmed takeFree confirmed", "rejected - rejected reservation-expired TEA",
                "rejected - rejected reservation-expired TEA",
            ]
        ],
        .rejected: [:],
    ]

    @Test("Every step has its result in every state", arguments: Reservation.State.allCases, ReservationStep.allCases)
    func transitions(state: Reservation.State, step: ReservationStep) {
        let expected = Self.table[state]?[step] ?? ["nothing", "nothing", "nothing"]
        for (stocks, expected) in zip([Self.free, Self.locked, Self.gone], expected) {
            var reservation = Self.reservation(state)
            let change = Self.take(step, on: &reservation, given: stocks)
            #expect(Self.words(reservation, change) == expected)
            if change == nil {
                #expect(reservation == Self.reservation(state), "what changes nothing leaves it as it was")
            } else {
                #expect(reservation.updatedAt == 2_000)
            }
        }
    }

    @Test(
        "A step that comes twice does nothing the second time",
        arguments: Reservation.State.allCases,
        ReservationStep.allCases
    )
    func repetitions(state: Reservation.State, step: ReservationStep) {
        var reservation = Self.reservation(state)
        _ = Self.take(step, on: &reservation, given: Self.free)
        let once = reservation
        let again = Self.take(step, on: &reservation, given: Self.free)
        #expect(again == nil)
        #expect(reservation == once)
    }

    @Test("An order is held, waits or is rejected, all lines or none")
    func beginnings() {
        func begin(_ lines: [Reservation.Line], _ stocks: [String: Stock]) -> String {
            let (reservation, change) = Reservation.forOrder("o-1", lines, given: stocks, Self.terms, at: 1_000)
            return Self.words(reservation, change)
        }
        let two = [Self.line, Reservation.Line(sku: "CUP", quantity: 1)]
        #expect(begin([Self.line], Self.free) == "held reserve reserved")
        #expect(begin([Self.line], Self.locked) == "waiting - silent")
        #expect(begin([Self.line], Self.gone) == "rejected - rejected out-of-stock TEA")
        #expect(begin(two, Self.free) == "rejected - rejected unknown-product CUP")
        let cups = Self.free.merging(["CUP": Stock(onHand: 1, reserved: 1)]) { $1 }
        #expect(begin(two, cups) == "waiting - silent")
        let none = Self.locked.merging(["CUP": Stock()]) { $1 }
        #expect(begin(two, none) == "rejected - rejected out-of-stock CUP")
        #expect(begin([Self.line, Self.line], Self.free) == "waiting - silent", "lines of one product are added up")
    }

    @Test("What is held ends when the terms say, and so does a wait")
    func deadlines() {
        let held = Reservation.forOrder("o-1", [Self.line], given: Self.free, Self.terms, at: 1_000)
        #expect(held.reservation.deadline == Reservation.Deadline(kind: .expiry, at: 61_000))
        let event = StockReserved(orderID: "o-1", expiresAt: Timestamp(milliseconds: 61_000).description)
        #expect(held.change.announcement == .reserved(event))
        var waiting = Reservation.forOrder("o-1", [Self.line], given: Self.locked, Self.terms, at: 1_000).reservation
        #expect(waiting.deadline == Reservation.Deadline(kind: .wait, at: 6_000))
        _ = waiting.reconsider(given: Self.free, Self.terms, at: 4_000)
        #expect(waiting.deadline == Reservation.Deadline(kind: .expiry, at: 64_000), "it is kept from when it is held")
        for state in Reservation.State.allCases where ![.held, .waiting].contains(state) {
            #expect(Self.reservation(state).deadline == nil)
        }
    }

    @Test("A tombstone refuses the order that comes late, however often")
    func tombstones() {
        var tombstone = Reservation.tombstone("o-1", .order, at: 1_000)
        let before = tombstone
        for _ in 1...2 {
            let words = Self.words(tombstone, tombstone.placedAgain())
            #expect(words == "released - rejected order-ended ")
        }
        for step in ReservationStep.allCases where step != .placedAgain {
            #expect(Self.take(step, on: &tombstone, given: Self.free) == nil)
        }
        #expect(tombstone == before)
    }

    @Test("A client's try takes what is free or nothing, and never waits")
    func tries() throws {
        let (held, change) = try Reservation.forClient("c", [Self.line], given: Self.free, for: 500, at: 1_000)
        #expect(held.state == .held)
        #expect(held.expiresAt == 1_500)
        #expect(change == Reservation.Change(move: .reserve), "nobody hears of it")
        func refusal(_ stocks: [String: Stock]) -> Reservation.Refusal? {
            do throws(Reservation.Refusal) {
                _ = try Reservation.forClient("c", [Self.line], given: stocks, for: 500, at: 1_000)
                return nil
            } catch { return error }
        }
        #expect(refusal(Self.locked) == .outOfStock(["TEA"]))
        #expect(refusal(Self.gone) == .outOfStock(["TEA"]))
        #expect(refusal([:]) == .unknown(["TEA"]))
    }

    @Test("A client's refusal names every product that is not free, locked or gone")
    func refusedProducts() {
        let lines = [Self.line, Reservation.Line(sku: "CUP", quantity: 1), Reservation.Line(sku: "POT", quantity: 1)]
        let stocks = Self.locked.merging(["CUP": Stock(), "POT": Stock(onHand: 1)]) { $1 }
        #expect(throws: Reservation.Refusal.outOfStock(["TEA", "CUP"])) {
            _ = try Reservation.forClient("c", lines, given: stocks, for: 500, at: 1_000)
        }
    }

    @Test("A client confirms and cancels in every state as the table says", arguments: Reservation.State.allCases)
    func clients(state: Reservation.State) {
        typealias Refusal = Reservation.Refusal
        func result(_ act: (inout Reservation) throws(Refusal) -> Reservation.Change?) -> String {
            var reservation = Self.reservation(state, of: .client)
            do throws(Refusal) {
                let change = try act(&reservation)
                return Self.words(reservation, change)
            } catch {
                #expect(reservation == Self.reservation(state, of: .client))
                return "\(error)"
            }
        }
        let confirmed = result { (reservation) throws(Refusal) in try reservation.confirm(at: 2_000) }
        let cancelled = result { (reservation) throws(Refusal) in try reservation.cancel(at: 2_000) }
        switch state {
        case .held:
            #expect(confirmed == "confirmed take silent")
            #expect(cancelled == "released free silent")
        case .confirmed:
            #expect(confirmed == "nothing")
            #expect(cancelled == "confirmed")
        case .waiting, .released, .expired, .rejected:
            #expect(confirmed == "\(Refusal.ended(state))")
            #expect(cancelled == "nothing")
        }
    }

    @Test("A client does not move an order's reservation", arguments: Reservation.State.allCases)
    func orders(state: Reservation.State) {
        var reservation = Self.reservation(state)
        #expect(throws: Reservation.Refusal.ofOrder) { _ = try reservation.confirm(at: 2_000) }
        #expect(throws: Reservation.Refusal.ofOrder) { _ = try reservation.cancel(at: 2_000) }
        #expect(reservation == Self.reservation(state))
    }

    @Test("Nobody hears that a client's reservation expired")
    func silence() {
        var reservation = Self.reservation(.held, of: .client)
        #expect(reservation.expire(at: 2_000) == Reservation.Change(move: .free))
    }

    @Test("Moves keep the stock between nothing and what lies there", arguments: StockMove.allCases)
    func moves(move: StockMove) {
        var stock = Stock(onHand: 5, reserved: 2)
        stock.apply(move, 2)
        let expected =
            switch move {
            case .reserve: Stock(onHand: 5, reserved: 4)
            case .free: Stock(onHand: 5, reserved: 0)
            case .take: Stock(onHand: 3, reserved: 0)
            case .takeFree: Stock(onHand: 3, reserved: 2)
            case .putBack: Stock(onHand: 7, reserved: 2)
            }
        #expect(stock == expected)
        #expect(move.givesBack == (expected.available > 3))
        #expect(move.takesAway == (expected.onHand < 5))
    }

    @Test("Levels begin where the shop says")
    func levels() {
        func level(_ available: Int, _ low: Int) -> StockLevel {
            Stock(onHand: available + 3, reserved: 3).level(low: low)
        }
        #expect([0, 1, 5, 6].map { level($0, 5) } == [.out, .low, .low, .plenty])
        #expect([0, 1].map { level($0, 0) } == [.out, .plenty])
    }
}
