import Database
import Events
import Telemetry
import Testing

@testable import Messaging

extension Bench {
    /// Fills the table with deliveries of many subjects, `1` and on, or of one.
    func fill(
        _ subjects: Int,
        _ status: String,
        ofEach: Int = 1,
        source: String = "/s",
        subject: String? = nil
    ) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                WITH RECURSIVE numbers(number) AS (
                    SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < $1 * $2)
                INSERT INTO warren_deliveries
                    (subscriber, source, event_id, type, subject, sequence, status, attempts, due_at, received_at,
                    updated_at, body, properties)
                SELECT 'tested', $3, $3 || $4 || COALESCE($5, '') || number, 't', COALESCE($5, number / $2 + 1), number, $4, 1,
                    CASE WHEN $4 = 'scheduled' THEN 9000000000000 END, number, number, x'00', '{}'
                FROM numbers
                """,
                subjects,
                ofEach,
                source,
                status,
                subject
            )
        }
    }

    /// How much longer something takes with much in the table than with little: repeated, and undone each time.
    func factor(
        of many: @escaping @Sendable (Transaction) throws -> Void,
        to few: @escaping @Sendable (Transaction) throws -> Void
    ) async throws -> Double {
        func best(_ body: @escaping @Sendable (Transaction) throws -> Void) async throws -> Duration {
            var best = Duration.seconds(60)
            for _ in 0..<5 {
                do {
                    try await database.write { transaction in
                        let began = ContinuousClock.now
                        for _ in 0..<50 { try body(transaction) }
                        throw Measured(duration: .now - began)
                    }
                } catch let measured as Measured {
                    best = min(best, measured.duration)
                }
            }
            return best
        }
        return try await best(many) / best(few)
    }
}

private struct Measured: Error {
    var duration: Duration
}

@Suite("What an operation costs does not depend on how much waits", .timeLimit(.minutes(5)), .serialized)
struct CostTests {
    @Test func `releasing the next delivery of a subject, however many are held`() async throws {
        try await withBench { bench in
            try await bench.fill(1, "held", ofEach: 10_000, subject: "many")
            try await bench.fill(1, "held", ofEach: 200, subject: "few")
            func release(_ subject: String) -> @Sendable (Transaction) throws -> Void {
                let key = SubjectKey(source: "/s", subject: subject)
                return { transaction in
                    let isReleased = try bench.table.releaseNext(key, now: 0, in: transaction)
                    guard isReleased else { throw NeverHappened() }
                    // It is handled.
                    try transaction.execute(
                        """
                        UPDATE warren_deliveries SET status = 'processed' WHERE subscriber = 'tested' AND source = '/s'
                            AND subject = $1 AND status = 'scheduled' AND status <> 'processed' AND status <> 'discarded'
                        """,
                        subject
                    )
                }
            }
            #expect(try await bench.factor(of: release("many"), to: release("few")) < 10)
        }
    }

    @Test func `a released delivery costs one commit`() async throws {
        try await withBench { bench in
            bench.recordEffects()
            try await bench.leave(0, of: "a", state: .dead)
            for number in 1...20 { try await bench.leave(number, of: "a", state: .held) }
            let before = bench.database.statistics.closures
            _ = try await bench.deadLetters.discard(1, actor: "me", reason: "")
            try await bench.settle { lives in lives.allSatisfy { $0.status == "processed" || $0.status == "discarded" }
            }
            #expect(try await bench.effects() == Array(1...20))
            // The discard, what was at work at the start, and each one's receipt with its effect.
            #expect(bench.database.statistics.closures - before <= 24)
        }
    }

    @Test func `asking whether something stands in the way, past any number of dead letters`() async throws {
        try await withBench(afterDeadLetter: .proceed) { bench in
            try await bench.fill(1, "dead", ofEach: 10_000, subject: "many")
            try await bench.fill(1, "dead", ofEach: 20, subject: "few")
            // Nothing is kept, so that the database is asked.
            let table = DeliveryTable(
                subscriber: "tested",
                ordering: .perSubject,
                afterDeadLetter: .proceed,
                waiting: WaitingSubjects(most: 0)
            )
            func ask(_ subject: String) -> @Sendable (Transaction) throws -> Void {
                { _ = try table.isBlocked(SubjectKey(source: "/s", subject: subject), in: $0) }
            }
            #expect(try await bench.factor(of: ask("many"), to: ask("few")) < 10)
        }
    }

    @Test func `finding what was at work when the process ended, however much is scheduled`() async throws {
        let recover: @Sendable (Transaction) throws -> Void = {
            guard try !DeliveryTable.recover(tables: [:], limit: 10, now: 0, in: $0) else { throw NeverHappened() }
        }
        try await withBench { bench in
            try await withBench { empty in
                try await bench.fill(10_000, "scheduled")
                let many = try await bench.factor(of: recover, to: { _ = try $0.query("SELECT 1") })
                let few = try await empty.factor(of: recover, to: { _ = try $0.query("SELECT 1") })
                #expect(many / few < 10)
            }
        }
    }

    @Test func `what was at work is found in slices, and all of it`() async throws {
        try await withBench { bench in
            try await bench.fill(25, "scheduled")
            try await bench.database.write { transaction in
                _ = try transaction.execute("UPDATE warren_deliveries SET running_since = 5, suspect = 3 * (id % 2)")
            }
            var slices = 1
            while try await bench.database.write({ transaction in
                try DeliveryTable.recover(tables: ["tested": bench.table], limit: 10, now: 9, in: transaction)
            }) { slices += 1 }
            #expect(slices == 3)
            let (rows, attempts) = try await bench.database.read { transaction -> (Int, Int) in
                (
                    try transaction.first(
                        "SELECT COUNT(*) FROM warren_deliveries WHERE suspect IN (1, 4) AND running_since IS NULL"
                    )?[0] ?? 0,
                    try transaction.first("SELECT COUNT(*) FROM warren_attempts")?[0] ?? 0
                )
            }
            #expect(rows == 25)
            #expect(attempts == 13)
        }
    }

    @Test func `the backlog is counted whole, in slices`() async throws {
        try await withBench { bench in
            try await bench.fill(25, "scheduled")
            try await bench.fill(20, "held")
            try await bench.append(7, to: "a")
            try await bench.forwarded(through: 3)
            let backlog = try await BacklogReader(database: bench.database, slice: 10).read(now: 60_000)
            #expect(backlog.scheduled == 25 && backlog.held == 20 && backlog.unforwarded == 4)
            #expect(backlog.oldestScheduledAge == 60)
        }
    }
}
