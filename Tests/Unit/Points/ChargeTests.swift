import Events
import HTTP
import Messaging
import MessagingTestKit
import ShopEvents
import Testing

@testable import Points

@Suite("Points that are bought, whatever Payment says first")
struct ChargeTests {
    static let total = Money(amount: 500, currency: "EUR")

    /// Captured, declined, refunded.
    static let answers = ["c", "d", "r"]

    static func take(_ answer: Character, on charge: inout Charge, balance: Int64) throws -> Charge.Outcome {
        switch answer {
        case "c": try charge.captured(total, at: 2_000)
        case "d": charge.declined("card_declined", at: 2_000)
        default: try charge.refunded(total, given: balance, at: 2_000)
        }
    }

    /// Where a charge ends: where money has moved, the points follow it.
    static func end(of steps: String) -> (Charge.State, points: Int64) {
        if steps.contains("r") { return (.refunded, 0) }
        return steps.contains("c") ? (.bought, 500) : (.declined, 0)
    }

    @Test("Up to four answers in every order, each as often as it likes: where it ends, and what was moved")
    func everyOrder() throws {
        var stories = Self.answers
        var all: [String] = []
        for _ in 1...4 {
            all += stories
            stories = stories.flatMap { story in Self.answers.map { story + $0 } }
        }
        #expect(all.count == 120)
        for story in all {
            var charge = Charge.request("pts_1", by: "ada", Self.total, at: 1_000)
            var balance: Int64 = 0
            for answer in story {
                let before = charge
                switch try Self.take(answer, on: &charge, balance: balance) {
                case .unchanged: #expect(charge == before, "\(story)")
                case .changed(let posting): balance += posting?.change ?? 0
                }
            }
            let (state, points) = Self.end(of: story)
            #expect(charge.state == state, "\(story)")
            #expect(balance == points, "\(story)")
            #expect((charge.reason != nil) == (state == .declined), "\(story)")
        }
    }

    @Test("Every pair of answers by their events, and each twice", arguments: answers, answers)
    func pairs(first: String, second: String) async throws {
        try await PointsWorld.with { world in
            let id = try await world.charge(500)
            for answer in first + second {
                switch answer {
                case "c": try await world.captured(id, 500)
                case "d": try await world.declined(id)
                default: try await world.refunded(id, 500)
                }
            }
            let (state, points) = Self.end(of: first + second)
            #expect(try await world.charge(id)?.state == state)
            #expect(try await world.balance() == points)
            #expect(try await world.sum(.sold) == -points)
            #expect(try await world.said(of: id) == ["charge-requested"], "nobody else waits for what comes of it")
        }
    }

    @Test("Paid back when some were spent: what is there is taken, the rest is written off")
    func refundedAfterSpending() async throws {
        try await PointsWorld.with { world in
            let id = try await world.buy(500)
            try await world.tell(.accepted, points: 300)
            for _ in 1...2 { try await world.refunded(id, 500) }
            #expect(try await world.balance() == 0)
            #expect(try await world.sum(.sold) == 0)
            #expect(try await world.sum(.writtenOff) == -300)
            #expect(world.logs.messages.contains { $0.contains("written off") })
        }
    }

    @Test("Another amount than was asked for moves nothing, and somebody has to look", arguments: [499, 501])
    func otherAmount(amount: Int64) async throws {
        try await PointsWorld.with(deadLetters: 2) { world in
            let id = try await world.charge(500)
            try await world.captured(id, amount)
            let other = try await world.buy(500, for: "bob")
            try await world.refunded(other, amount)
            #expect(try await world.balance() == 0)
            #expect(try await world.balance(of: "bob") == 500)
            let letters = try await world.service.deadLetters()
            #expect(letters.allSatisfy { $0.errorClass == "points.other-amount" })
        }
    }

    @Test("Money for a charge that is not there is a dead letter; a refusal of one is said")
    func unknown() async throws {
        try await PointsWorld.with(deadLetters: 2) { world in
            try await world.captured("pts_lost", 500)
            try await world.refunded("pts_gone", 500)
            try await world.declined("pts_none")
            #expect(world.logs.messages.contains { $0.contains("is not there was declined") })
        }
    }
}
