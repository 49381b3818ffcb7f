import Testing

@testable import Messaging

@Suite("The rows at work")
struct RowsAtWorkTests {
    private func row(_ id: Int64, size: Int = 100, level: Int = 0) -> DeliveryTable.Due {
        DeliveryTable.Due(
            id: id,
            subscriber: "tested",
            suspicion: Suspicion(level: level),
            life: DeliveryLife(state: .scheduled, dueAt: 1),
            receivedAt: 1,
            source: "/elsewhere",
            type: "t",
            subject: "s",
            size: size
        )
    }

    @Test("have so many bytes at most, and a larger one goes alone")
    func bytes() {
        var rows = RowsAtWork(patience: .seconds(10))
        let now = ContinuousClock.Instant.now
        var due = (1...64).map { row($0, size: 1 << 20) } + [row(65, size: 64 << 20), row(66)]
        #expect(rows.choose(from: &due, at: now).map(\.row.id) == Array(1...32))
        for id in 1...32 { rows.ended(Int64(id), start: id) }
        #expect(rows.choose(from: &due, at: now).map(\.row.id) == Array(33...64))
        for id in 33...64 { rows.ended(Int64(id), start: id) }
        #expect(rows.choose(from: &due, at: now).map(\.row.id) == [65])
        #expect(rows.choose(from: &due, at: now).isEmpty)
        rows.ended(65, start: 65)
        #expect(rows.choose(from: &due, at: now).map(\.row.id) == [66])
    }

    @Test("that take long make room for others, up to a bound")
    func slow() {
        var rows = RowsAtWork(patience: .seconds(10))
        let now = ContinuousClock.Instant.now
        var due = (1...1000).map { row($0) }
        #expect(rows.choose(from: &due, at: now).count == 64)
        #expect(rows.choose(from: &due, at: now + .seconds(9)).isEmpty)
        for round in 1...3 {
            #expect(rows.choose(from: &due, at: now + .seconds(11 * round)).count == 64)
        }
        #expect(rows.choose(from: &due, at: now + .seconds(60)).isEmpty)
        #expect(rows.count == 256)
    }

    @Test("leave the place of a start that was given up to the next one")
    func starts() {
        var rows = RowsAtWork(patience: .seconds(10))
        let now = ContinuousClock.Instant.now
        var due = [row(1, level: 3)]
        #expect(rows.choose(from: &due, at: now).map(\.start) == [1])
        rows.ended(1, start: 1)
        due = [row(1, level: 3)]
        #expect(rows.choose(from: &due, at: now).map(\.start) == [2])
        rows.ended(1, start: 1)
        #expect(rows.contains(1))
    }

    @Test("hand their place on to what they have let go, and what was read of that meanwhile is not started again")
    func handsOn() {
        var rows = RowsAtWork(patience: .seconds(10))
        let now = ContinuousClock.Instant.now
        var due = [row(1)]
        #expect(rows.choose(from: &due, at: now).map(\.start) == [1])
        #expect(rows.beginLook() == [1])
        #expect(rows.handOn(1, start: 1, to: row(2), at: now) == 2)
        #expect(!rows.contains(1) && rows.contains(2))
        rows.ended(2, start: 2)
        // The look saw them both before they ended.
        due = [row(1), row(2), row(3)]
        #expect(rows.choose(from: &due, at: now).map(\.row.id) == [1, 3])
        due = [row(2)]
        #expect(rows.choose(from: &due, at: now).map(\.row.id) == [2])
    }

    @Test("hand nothing on where others wait, to suspects, to what is at work, or when they have given their place up")
    func keeps() {
        var rows = RowsAtWork(patience: .seconds(10))
        let now = ContinuousClock.Instant.now
        var due = [row(1), row(2, level: 2)]
        #expect(rows.choose(from: &due, at: now).map(\.start) == [1, 2])
        #expect(rows.handOn(1, start: 1, to: row(3, level: 2), at: now) == nil)
        #expect(rows.handOn(2, start: 2, to: row(3), at: now) == nil)
        #expect(rows.handOn(1, start: 7, to: row(3), at: now) == nil)
        #expect(rows.handOn(1, start: 1, to: row(2), at: now) == nil)
        #expect(rows.handOn(1, start: 1, to: row(3), at: now + .seconds(11)) == nil)
        rows.await()
        #expect(rows.handOn(1, start: 1, to: row(3), at: now) == nil)
        due = [row(4, size: 33 << 20)]
        #expect(rows.choose(from: &due, at: now).isEmpty)
        #expect(rows.handOn(1, start: 1, to: row(3), at: now) == nil)
        due = []
        #expect(rows.choose(from: &due, at: now).isEmpty)
        #expect(rows.handOn(1, start: 1, to: row(3, size: 33 << 20), at: now) == nil)
        #expect(rows.contains(1))
        #expect(rows.handOn(1, start: 1, to: row(3), at: now) == 3)
    }
}
