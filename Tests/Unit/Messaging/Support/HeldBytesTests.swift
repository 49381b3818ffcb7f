import Testing

@testable import Messaging

@Suite("A byte budget")
struct HeldBytesTests {
    @Test("has room for so many, and for one that is larger when nothing else is there")
    func alone() {
        var budget = ByteBudget(100)
        let sizes = [60, 41, 40, 1]
        let taken = sizes.map { budget.take($0) }
        #expect(taken == [true, false, true, false])
        budget.giveBack(60)
        #expect(!budget.isHalfUsed)
        #expect(!budget.hasRoom(for: 61))
        budget.giveBack(40)
        let large = [1_000, 1]
        let alone = large.map { budget.take($0) }
        #expect(alone == [true, false])
        budget.giveBack(1_000)
        #expect(budget.used == 0)
    }
}
