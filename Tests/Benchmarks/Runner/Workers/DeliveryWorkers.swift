import Database
import Events
import Glibc
import Messaging
import Synchronization
import Telemetry

/// What the producer tells the consumer.
struct Asked: Event {
    static let type: EventType = "dev.warren.benchmark.asked"
    var number: Int
    var subject: String
    var text: String
}

/// What the consumer says to it.
struct Answered: Event {
    static let type: EventType = "dev.warren.benchmark.answered"
    var number: Int
    var subject: String
    var text: String
}

/// The kit's side of the `delivery` benchmark, through the public interface of `Messaging`: the same work as `append` and
/// `handle` of the C program.
enum DeliveryWorkers {
    static let topology = Topology([
        .init("producer", to: []),
        .init("consumer", to: [Asked.type]),
    ])

    /// Appends events; where `rate` is 0, by as many tasks as there are `clients`, each waiting for its commit.
    static func append(
        url: String,
        path: String,
        count: Int,
        subjects: Int,
        textBytes: Int,
        clients: Int,
        rate: Double,
        moments path2: String
    ) async throws {
        let database = try await Database.open(
            "sqlite:\(path)",
            migrations: [MessagingRuntime.migrations],
            logger: .silent
        )
        let messaging = try runtime("producer", url: url, database: database)
        let running = Task { await messaging.run(grace: .seconds(10)) }
        try await connected(messaging)
        let text = String(repeating: "x", count: textBytes)
        let moments = Moments(count: count)
        Conversation.readyAndWait()

        let began = Meter.now()
        let cpu = Meter.cpu()
        @Sendable func append(_ number: Int) async throws {
            let digits = String(number % subjects)
            let subject = "subject-" + String(repeating: "0", count: 8 - digits.count) + digits
            try await messaging.events.write { transaction in
                try transaction.append(Asked(number: number, subject: subject, text: text))
                transaction.afterCommit { moments.note(number) }
            }
        }
        if rate > 0 {
            for number in 0..<count {
                let due = began + Int64(Double(number) / rate * 1e9)
                let wait = due - Meter.now()
                if wait > 0 { try await Task.sleep(for: .nanoseconds(wait), tolerance: .zero) }
                try await append(number)
            }
        } else {
            let numbers = Numbers(count)
            try await withThrowingTaskGroup { group in
                for _ in 0..<clients {
                    group.addTask {
                        while let number = numbers.next() { try await append(number) }
                    }
                }
                try await group.waitForAll()
            }
        }
        let appended = Meter.now()
        while messaging.counters.published < count { try await Task.sleep(for: .milliseconds(5)) }
        Conversation.result("began", Double(began))
        Conversation.result("appending", Double(appended - began) / 1e9)
        Conversation.result("forwarding", Double(Meter.now() - began) / 1e9)
        Conversation.result("cpu", Double(Meter.cpu() - cpu) / 1e9)
        group(database)
        try moments.write(to: path2)
        running.cancel()
        await running.value
        await database.close()
    }

    /// Handles events until that many are handled.
    ///
    /// - Parameter isEarly: whether it is connected before it is told to begin, for a queue that is still empty.
    static func handle(
        url: String,
        path: String,
        count: Int,
        prefetch: Int,
        isEarly: Bool,
        moments path2: String
    ) async throws {
        let database = try await Database.open(
            "sqlite:\(path)",
            migrations: [
                MessagingRuntime.migrations,
                MigrationSet(
                    "benchmark",
                    [.init("effects", "CREATE TABLE effects (number INTEGER NOT NULL, subject TEXT NOT NULL)")]
                ),
            ],
            logger: .silent
        )
        let messaging = try runtime("consumer", url: url, database: database, prefetch: prefetch)
        let moments = Moments(count: count)
        let done = Countdown(count)
        messaging.subscriber.on(Asked.self) { event, delivery in
            try await delivery.commit { transaction in
                try transaction.execute(
                    "INSERT INTO effects (number, subject) VALUES ($1, $2)",
                    event.number,
                    event.subject
                )
                try transaction.append(Answered(number: event.number, subject: event.subject, text: event.text))
                transaction.afterCommit { moments.note(event.number) }
            }
            done.happened()
        }
        let start = Countdown(1)
        let running = Task {
            await start.wait()
            await messaging.run(grace: .seconds(10))
        }
        if isEarly {
            start.happened()
            try await connected(messaging)
        }
        Conversation.readyAndWait()

        let cpu = Meter.cpu()
        start.happened()
        await done.wait()
        Conversation.result("cpu", Double(Meter.cpu() - cpu) / 1e9)
        group(database)
        try moments.write(to: path2)
        running.cancel()
        await running.value
        await database.close()
    }

    /// How many closures shared a commit on average.
    static func group(_ database: Database) {
        let statistics = database.statistics
        Conversation.result("group", Double(statistics.closures) / Double(max(1, statistics.commits)))
    }

    static func runtime(
        _ service: String,
        url: String,
        database: Database,
        prefetch: Int = 256
    ) throws -> MessagingRuntime {
        var configuration = MessagingConfiguration(
            service: service,
            source: "/\(service)",
            brokerURLs: [url],
            topology: topology
        )
        configuration.prefetch = prefetch
        return try MessagingRuntime(configuration, database: database, logger: .silent)
    }

    static func connected(_ messaging: MessagingRuntime) async throws {
        while !messaging.problems().isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    }
}
