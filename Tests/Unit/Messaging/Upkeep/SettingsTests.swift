import Database
import Events
import Telemetry
import Testing

@testable import Messaging

extension Bench {
    /// Writes a delivery as an earlier start has left it.
    @discardableResult
    func leave(
        _ number: Int,
        of subject: String,
        state: DeliveryState,
        subscriber: String = "tested",
        id: String? = nil
    ) async throws -> Int64 {
        let envelope = Envelope(
            id: id ?? UUIDv7.make(),
            source: "/elsewhere",
            type: Happened.type,
            subject: subject,
            time: Timestamp.now().description,
            sequence: UInt64(number),
            correlationID: "flow",
            data: try Happened(subject: subject, number: number).encodedData()
        )
        let record = DeliveryRecord(
            key: DeliveryKey(source: envelope.source, eventID: envelope.id),
            type: envelope.type.rawValue,
            subjectKey: SubjectKey(source: envelope.source, subject: subject),
            sequence: UInt64(number),
            receivedAt: WallClock.milliseconds(),
            body: envelope.encoded(),
            properties: StoredProperties(json: "{}")
        )
        let earlier = DeliveryTable(subscriber: subscriber, ordering: .perSubject, afterDeadLetter: .hold)
        return try await database.write { transaction in
            let now = WallClock.milliseconds()
            if state == .processed {
                _ = try earlier.insertReceipt(record, now: now, in: transaction)
                return 0
            }
            let life = DeliveryLife(state: state, attempts: 1, dueAt: state == .scheduled ? now : nil)
            return try earlier.insert(
                record,
                life: life,
                error: state == .dead ? .permanent("test.broken", "no") : nil,
                now: now,
                in: transaction
            ) ?? 0
        }
    }

    var resettlement: Resettlement {
        Resettlement(database: database, table: table, logger: .silent, onScheduled: onScheduled)
    }
}

@Suite("Settings may change between starts", .timeLimit(.minutes(5)))
struct SettingsTests {
    @Test func `deliveries of a former name are taken over, receipts included, and go through`() async throws {
        try await withBench { bench in
            bench.recordEffects()
            let receipt = UUIDv7.make()
            try await bench.leave(1, of: "a", state: .processed, subscriber: "former", id: receipt)
            try await bench.leave(2, of: "b", state: .scheduled, subscriber: "former")
            try await bench.leave(3, of: "b", state: .held, subscriber: "former")
            let dead = try await bench.leave(4, of: "c", state: .dead, subscriber: "former")
            for number in 0..<Resettlement.slice {
                try await bench.leave(number, of: "d", state: .processed, subscriber: "former")
            }
            #expect(await bench.resettlement.takeOver())
            #expect(Set(try await bench.lives().map(\.subscriber)) == ["tested"])
            try await bench.settle { lives in lives.allSatisfy { $0.status == "processed" || $0.status == "dead" } }
            #expect(try await bench.effects() == [2, 3])
            await bench.receive(try bench.message(Happened(subject: "a", number: 1), id: receipt))
            #expect(try await bench.effects() == [2, 3])
            _ = try await bench.deadLetters.retry(dead, actor: "me", reason: "mended")
            try await bench.settle { $0.allSatisfy { $0.status == "processed" } }
            #expect(try await bench.effects() == [2, 3, 4])
        }
    }

    @Test func `what came again under the new name stands, and a receipt of either is a receipt`() async throws {
        try await withBench { bench in
            bench.recordEffects()
            let ids = (1...3).map { _ in UUIDv7.make() }
            try await bench.leave(1, of: "a", state: .processed, subscriber: "former", id: ids[0])
            try await bench.leave(1, of: "a", state: .dead, id: ids[0])
            try await bench.leave(2, of: "b", state: .dead, subscriber: "former", id: ids[1])
            try await bench.leave(2, of: "b", state: .processed, id: ids[1])
            try await bench.leave(3, of: "c", state: .scheduled, subscriber: "former", id: ids[2])
            try await bench.leave(3, of: "c", state: .scheduled, id: ids[2])
            #expect(await bench.resettlement.takeOver())
            #expect(try await bench.lives().map(\.status) == ["processed", "processed", "scheduled"])
            let counts = try await bench.groupCounts()
            #expect(counts.kept == counts.counted)
            try await bench.settle { $0.allSatisfy { $0.status == "processed" } }
            #expect(try await bench.effects() == [3])
        }
    }

    @Test func `held deliveries go on when order no longer matters`() async throws {
        try await withBench(ordering: .none) { bench in
            bench.recordEffects()
            try await bench.leave(1, of: "a", state: .dead)
            for number in 2...(Resettlement.slice + 20) { try await bench.leave(number, of: "a", state: .held) }
            await bench.resettlement.release()
            try await bench.settle { lives in lives.allSatisfy { $0.status == "processed" || $0.status == "dead" } }
            #expect(try await bench.effects().count == Resettlement.slice + 19)
        }
    }

    @Test func `held deliveries pass a dead one when they may, in their order`() async throws {
        try await withBench(afterDeadLetter: .proceed) { bench in
            bench.recordEffects()
            for subject in 1...150 {
                try await bench.leave(1, of: "\(subject)", state: .dead)
                for number in 2...3 { try await bench.leave(number, of: "\(subject)", state: .held) }
            }
            await bench.resettlement.release()
            #expect(try await bench.lives().filter { $0.status == "scheduled" }.count == 150)
            try await bench.settle { lives in lives.allSatisfy { $0.status == "processed" || $0.status == "dead" } }
            #expect(try await bench.effects().count == 300)
        }
    }

    @Test func `what was scheduled while order did not matter goes in order, and what comes is held`() async throws {
        try await withBench { bench in
            bench.recordEffects()
            // As `.none` and `.proceed` leave them.
            try await bench.leave(2, of: "a", state: .scheduled)
            try await bench.leave(1, of: "a", state: .scheduled)
            let dead = try await bench.leave(4, of: "b", state: .dead)
            try await bench.leave(5, of: "b", state: .scheduled)
            // One after the other: of two that come together either may be the first row.
            await bench.receive(try bench.message(Happened(subject: "a", number: 3), sequence: 3))
            await bench.receive(try bench.message(Happened(subject: "b", number: 6), sequence: 6))
            let before = try await bench.lives().map(\.status)
            #expect(before == ["scheduled", "scheduled", "dead", "scheduled", "held", "held"])
            await bench.resettlement.release()
            try await bench.settle {
                $0.map(\.status) == ["processed", "processed", "dead", "held", "processed", "held"]
            }
            #expect(try await bench.effects() == [1, 2, 3])
            _ = try await bench.deadLetters.retry(dead, actor: "me", reason: "mended")
            try await bench.settle { $0.allSatisfy { $0.status == "processed" } }
            #expect(try await bench.effects() == [1, 2, 3, 4, 5, 6])
        }
    }

    @Test func `what is held for a reason stays held`() async throws {
        try await withBench { bench in
            try await bench.leave(1, of: "a", state: .dead)
            try await bench.leave(2, of: "a", state: .held)
            try await bench.leave(1, of: "b", state: .scheduled)
            try await bench.leave(2, of: "b", state: .held)
            #expect(await bench.resettlement.takeOver())
            await bench.resettlement.release()
            #expect(try await bench.lives().map(\.status) == ["dead", "held", "scheduled", "held"])
        }
    }

    @Test func `an event whose handler is gone becomes a dead letter that says so`() async throws {
        try await withBench { bench in
            try await bench.leave(1, of: "a", state: .scheduled)
            try await bench.settle { $0.map(\.status) == ["dead"] }
            let letters = try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10)
            #expect(letters.map(\.errorClass) == ["event.unknown-type"])
        }
    }
}
