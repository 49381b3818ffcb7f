import Testing

@testable import AMQP

@Suite("Which published messages still wait for the broker's word")
struct ConfirmTrackerTests {
    private func tracker(_ count: Int) -> ConfirmTracker<Int> {
        var tracker = ConfirmTracker<Int>()
        for entry in 1...count { tracker.sent(entry) }
        return tracker
    }

    @Test("Sequence numbers count from 1, as the broker's do")
    func numbers() {
        var tracker = ConfirmTracker<Int>()
        #expect(tracker.sent(0) == 1)
        #expect(tracker.sent(0) == 2)
        #expect(tracker.count == 2)
    }

    @Test("An ack with `multiple` confirms everything up to its number that still waits")
    func multiple() {
        var tracker = tracker(5)
        _ = tracker.settled(upTo: 2, multiple: false, positive: true)
        #expect(tracker.settled(upTo: 4, multiple: true, positive: true).map(\.entry) == [1, 3, 4])
        #expect(tracker.count == 1)
    }

    @Test("One that is never settled does not keep the room of all that follow it, and may still be settled late")
    func setAside() {
        var tracker = ConfirmTracker<Int>(settingAsideBehind: 10)
        for entry in 1...1_000 {
            tracker.sent(entry)
            if entry != 3, entry != 500 {
                #expect(tracker.settled(upTo: UInt64(entry), multiple: false, positive: true).map(\.entry) == [entry])
            }
        }
        #expect(tracker.count == 2)
        #expect(tracker.room <= 1_024)
        var other = tracker
        #expect(other.settled(upTo: 500, multiple: false, positive: true).map(\.entry) == [500])
        #expect(other.count == 1)
        tracker.sent(1_001)
        #expect(tracker.settled(upTo: 1_001, multiple: true, positive: true).map(\.entry) == [3, 500, 1_001])
        #expect(tracker.count == 0)
        #expect(other.connectionLost().map(\.entry) == [3])
    }

    @Test("Confirms may come out of order")
    func outOfOrder() {
        var tracker = tracker(3)
        #expect(tracker.settled(upTo: 3, multiple: false, positive: true).map(\.entry) == [3])
        #expect(tracker.settled(upTo: 1, multiple: false, positive: true).map(\.entry) == [1])
        #expect(tracker.settled(upTo: 2, multiple: false, positive: true).map(\.entry) == [2])
        #expect(tracker.count == 0)
        #expect(tracker.sent(9) == 4)
    }

    @Test("A nack is an outcome of its own, with `multiple` too")
    func nack() {
        var tracker = tracker(3)
        #expect(tracker.settled(upTo: 2, multiple: true, positive: false).map(\.outcome) == [.nacked, .nacked])
        #expect(tracker.settled(upTo: 3, multiple: false, positive: true).map(\.outcome) == [.confirmed])
    }

    @Test("A return comes before its ack and turns it into `returned`")
    func returned() {
        var tracker = tracker(3)
        let isFound = tracker.returned(reason: "312 NO_ROUTE", matching: { $0 == 2 })
        #expect(isFound)
        let outcomes = tracker.settled(upTo: 3, multiple: true, positive: true).map(\.outcome)
        #expect(outcomes == [.confirmed, .returned(reason: "312 NO_ROUTE"), .confirmed])
    }

    @Test("Two returns of equal messages mark two of them")
    func equalReturns() {
        var tracker = tracker(3)
        tracker.returned(reason: "first", matching: { _ in true })
        tracker.returned(reason: "second", matching: { _ in true }, preferring: { $0 == 3 })
        let isFound = tracker.returned(reason: "none", matching: { $0 == 1 })
        #expect(!isFound)
        let outcomes = tracker.settled(upTo: 3, multiple: true, positive: true).map(\.outcome)
        #expect(outcomes == [.returned(reason: "first"), .confirmed, .returned(reason: "second")])
    }

    @Test("A confirm of an unknown or settled number changes nothing")
    func unknown() {
        var tracker = tracker(2)
        _ = tracker.settled(upTo: 1, multiple: false, positive: true)
        #expect(tracker.settled(upTo: 1, multiple: false, positive: true).isEmpty)
        #expect(tracker.settled(upTo: 1, multiple: true, positive: true).isEmpty)
        #expect(tracker.settled(upTo: 0, multiple: true, positive: true).isEmpty)
        #expect(tracker.settled(upTo: 3, multiple: true, positive: true).isEmpty)
        #expect(tracker.count == 1)
    }

    @Test("At the loss of the connection everything that waits is given back, oldest first, and numbers begin anew")
    func lost() {
        var tracker = tracker(4)
        _ = tracker.settled(upTo: 2, multiple: false, positive: true)
        tracker.returned(reason: "312", matching: { $0 == 3 })
        let lost = tracker.connectionLost()
        #expect(lost.map(\.entry) == [1, 3, 4])
        #expect(lost.map(\.returned) == [nil, "312", nil])
        #expect(tracker.count == 0)
        #expect(tracker.sent(1) == 1)
    }

    @Test("A long run with a window keeps its books", arguments: [1, 7, 1_000])
    func longRun(window: Int) {
        var tracker = ConfirmTracker<Int>()
        var next = 0
        var confirmed: [Int] = []
        while confirmed.count < 20_000 {
            while tracker.count < window {
                tracker.sent(next)
                next += 1
            }
            let number = tracker.nextSequence - 1 - UInt64(window / 3)
            confirmed += tracker.settled(upTo: number, multiple: true, positive: true).map(\.entry)
            if window == 1 { #expect(tracker.count == 0) }
        }
        #expect(confirmed == Array(0..<confirmed.count))
    }
}
