import Database
import Events
import Glibc
import Messaging
import Synchronization
import Telemetry

/// The `costs` benchmark's program: fills a store and says how long something takes in it.
enum CostWorkers {
    private static func open(_ path: String) async throws -> Database {
        try await Database.open("sqlite:\(path)", migrations: [MessagingRuntime.migrations], logger: .silent)
    }

    private static func runtime(_ database: Database, url: String) throws -> MessagingRuntime {
        var configuration = MessagingConfiguration(
            service: "costs",
            source: "/costs",
            brokerURLs: [url],
            topology: Topology([.init("costs", to: [Asked.type])])
        )
        configuration.queueType = .classic
        configuration.eventRetention = .seconds(86_400)
        configuration.deliveryRetention = .seconds(3 * 86_400)
        return try MessagingRuntime(configuration, database: database, logger: .silent)
    }

    /// Inserts numbers in slices, each far below the writer's deadline.
    private static func fill(_ database: Database, _ rows: Int, _ select: String) async throws {
        let slice = 20_000
        for first in stride(from: 0, to: rows, by: slice) {
            try await database.write { transaction in
                _ = try transaction.execute(
                    """
                    WITH RECURSIVE numbers(n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < $2)
                    \(select)
                    """,
                    first,
                    min(rows, first + slice)
                )
            }
        }
    }

    private static func envelope(_ number: String, subject: String) -> String {
        """
        '{"specversion":"1.0","id":"id-' || \(number) || '","source":"/other","type":"\(Asked.type.rawValue)",\
        "subject":"' || \(subject) || '","time":"2026-01-01T00:00:00.000Z","datacontenttype":"application/json",\
        "sequence":"' || printf('%020d', \(number) + 1) || '","correlationid":"c",\
        "data":{"number":' || \(number) || ',"subject":"s","text":""}}'
        """
    }

    /// Deliveries of another service's events.
    private static func deliveries(status: String, subject: String, due: String = "NULL") -> String {
        """
        INSERT INTO warren_deliveries
            (subscriber, source, event_id, type, subject, sequence, status, attempts, due_at, received_at, updated_at,
            error_class, body, properties)
        SELECT 'costs', '/other', 'id-' || n, '\(Asked.type.rawValue)', \(subject), n + 1, \(status), 0, \(due), 1, 1,
            CASE WHEN \(status) = 'dead' THEN 'benchmark' END,
            CAST(\(envelope("n", subject: subject)) AS BLOB), '{}' FROM numbers
        """
    }

    /// Lets a subject's held deliveries go, and counts how many are handled in a second, for ten seconds at most.
    static func release(url: String, path: String, rows: Int) async throws {
        let database = try await open(path)
        try await fill(
            database,
            rows,
            deliveries(status: "CASE WHEN n = 0 THEN 'dead' ELSE 'held' END", subject: "'one'")
        )
        let messaging = try runtime(database, url: url)
        let handled = Atomic<Int>(0)
        messaging.subscriber.on(Asked.self) { _, _ in _ = handled.wrappingAdd(1, ordering: .relaxed) }
        let running = Task { await messaging.run(grace: .seconds(10)) }
        _ = try await messaging.deadLetters.discard(1, actor: "benchmark", reason: "")
        let began = ContinuousClock.now
        while handled.load(ordering: .relaxed) < rows - 1, ContinuousClock.now - began < .seconds(10) {
            try await Task.sleep(for: .milliseconds(5))
        }
        Conversation.result(
            "rate",
            Double(handled.load(ordering: .relaxed)) / ((ContinuousClock.now - began) / .seconds(1))
        )
        running.cancel()
        await running.value
        await database.close()
    }

    /// How long it takes from the start of a service until the first delivery is handled, with others scheduled.
    static func start(url: String, path: String, rows: Int) async throws {
        let database = try await open(path)
        try await fill(
            database,
            rows,
            deliveries(
                status: "'scheduled'",
                subject: "'s' || n",
                due: "CASE WHEN n = 0 THEN 0 ELSE 9000000000000 END"
            )
        )
        let messaging = try runtime(database, url: url)
        let handled = Countdown(1)
        messaging.subscriber.on(Asked.self) { _, _ in handled.happened() }
        let began = ContinuousClock.now
        let running = Task { await messaging.run(grace: .seconds(10)) }
        await handled.wait()
        Conversation.result("start", (ContinuousClock.now - began) / .milliseconds(1))
        let asked = ContinuousClock.now
        _ = try await messaging.backlog()
        Conversation.result("backlog", (ContinuousClock.now - asked) / .milliseconds(1))
        running.cancel()
        await running.value
        await database.close()
    }

    /// How many events of as many subjects retention removes in a second.
    static func retain(url: String, path: String, rows: Int) async throws {
        let database = try await open(path)
        try await fill(
            database,
            rows,
            """
            INSERT INTO warren_events (id, source, type, subject, sequence, time, envelope)
            SELECT 'id-' || n, '/costs', '\(Asked.type.rawValue)', 'subject-' || n, 1, n, zeroblob(400) FROM numbers
            """
        )
        try await database.write { transaction in
            _ = try transaction.execute(
                "INSERT INTO warren_offsets (name, position, updated_at) VALUES ('forwarder', $1, 0)",
                rows
            )
        }
        let messaging = try runtime(database, url: url)
        let began = ContinuousClock.now
        try await messaging.retain()
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        let left = try await database.read { try $0.first("SELECT COUNT(*) FROM warren_events")?[0] as Int? } ?? 0
        Conversation.result("rate", Double(rows - left) / seconds)
        Conversation.result("left", Double(left))
        await database.close()
    }

    /// How many events of its own a service handles in a second, with other subjects waiting.
    static func handle(url: String, path: String, waiting: Int, count: Int) async throws {
        let database = try await open(path)
        try await fill(database, waiting, deliveries(status: "'dead'", subject: "'s' || n"))
        let messaging = try runtime(database, url: url)
        let handled = Countdown(count)
        messaging.subscriber.on(Asked.self) { _, _ in handled.happened() }
        let running = Task { await messaging.run(grace: .seconds(10)) }
        @Sendable func append(_ number: Int) async throws {
            try await messaging.events.write { transaction in
                try transaction.append(Asked(number: number, subject: "new-\(number)", text: ""))
            }
        }
        let began = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<256 {
                group.addTask {
                    for number in stride(from: client, to: count, by: 256) { try await append(number) }
                }
            }
            try await group.waitForAll()
        }
        await handled.wait()
        Conversation.result("rate", Double(count) / ((ContinuousClock.now - began) / .seconds(1)))
        running.cancel()
        await running.value
        await database.close()
    }
}
