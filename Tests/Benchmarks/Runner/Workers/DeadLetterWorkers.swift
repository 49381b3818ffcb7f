import Database
import Events
import Glibc
import Messaging
import Telemetry

/// The `dead-letters` benchmark's programs: one that fills a table, one that replays what is in it.
enum DeadLetterWorkers {
    /// The numbers of replayed events begin here; those of the load are below.
    static let firstReplayed = 10_000_000
    /// The dead letters that one round retries.
    static let replayed = 100_000

    static let migrations = [
        MessagingRuntime.migrations,
        MigrationSet(
            "benchmark",
            [.init("effects", "CREATE TABLE effects (number INTEGER NOT NULL, subject TEXT NOT NULL)")]
        ),
    ]

    /// The error class of the dead letters of a round.
    static func errorClass(ofRound round: Int) -> String { "benchmark.round-\(round)" }

    /// Fills a table with `rows` deliveries of mixed types, states and errors; `rounds` times `replayed` of them can be
    /// handled when they are retried, the others are what lies beside them.
    static func fill(path: String, rows: Int, rounds: Int) async throws {
        let database = try await Database.open("sqlite:\(path)", migrations: migrations, logger: .silent)
        let slice = 5_000
        for first in stride(from: 0, to: rows, by: slice) {
            try await database.write { transaction in
                for number in first..<min(rows, first + slice) {
                    try insert(number, rounds: rounds, of: rows, in: transaction)
                }
            }
        }
        try await database.write { transaction in
            try transaction.execute("DELETE FROM warren_dead_letter_groups")
            try transaction.execute(
                """
                INSERT INTO warren_dead_letter_groups (status, type, error_class, count, last_seen)
                SELECT status, type, error_class, COUNT(*), MAX(updated_at) FROM warren_deliveries
                WHERE status = 'dead' OR status = 'discarded' GROUP BY status, type, error_class
                """
            )
        }
        await database.close()
    }

    /// Like the kit's own rows, with what a real one has: an envelope of 512 bytes and its properties.
    private static func insert(_ number: Int, rounds: Int, of rows: Int, in transaction: Transaction) throws {
        // In runs of a thousand over the whole table, as outages leave them.
        let round = number / 1_000 % max(1, rows / replayed)
        let isReplayed = round < rounds
        let text = "\(number)"
        let subject = "dead-\(String(repeating: "0", count: max(0, 8 - text.count)) + text)"
        let states = ["dead", "dead", "dead", "dead", "dead", "dead", "dead", "discarded", "held", "scheduled"]
        let kinds = ["order.placed", "order.confirmed", "payment.captured", "payment.declined", "mail.bounced"]
        let errors = ["payment.provider-unavailable", "mail.refused", "event.invalid-data", "event.unknown-type"]
        let mix = (number / 7) &* 2_654_435_761 >> 8
        let state = isReplayed ? "dead" : states[mix % states.count]
        let event = Asked(number: firstReplayed + number, subject: subject, text: String(repeating: "x", count: 120))
        let envelope = Envelope(
            id: "0198aaaa-0000-7000-8000-\(String(repeating: "0", count: max(0, 12 - text.count)) + text)",
            source: "/producer",
            type: Asked.type,
            subject: subject,
            time: Timestamp(milliseconds: 1_767_225_600_000).description,
            sequence: 1,
            correlationID: subject,
            data: try event.encodedData()
        )
        try transaction.execute(
            """
            INSERT INTO warren_deliveries (subscriber, source, event_id, type, subject, sequence, status, attempts, due_at,
                received_at, updated_at, error_class, error_message, body, properties)
            VALUES ('consumer', '/producer', $1, $2, $3, 1, $4, 6, $5, $6, $7, $8, $9, $10, $11)
            """,
            envelope.id,
            isReplayed ? Asked.type.rawValue : "dev.warren.\(kinds[mix / 16 % kinds.count])",
            // Some subjects have many.
            number % 100 == 99 && !isReplayed ? "busy-\(number % 1_000)" : subject,
            state,
            state == "scheduled" ? 4_000_000_000_000 : nil as Int64?,
            1_767_225_600_000 + Int64(number) * 10,
            1_767_225_600_000 + Int64(number) * 10 + Int64(mix % 3_600_000),
            isReplayed ? errorClass(ofRound: round) : errors[mix / 256 % errors.count],
            "the provider answered 503 to request \(number), which is not to be expected from it at this time of day",
            envelope.encoded(),
            "{\"messageId\":\"\(envelope.id)\",\"contentType\":\"application/cloudevents+json; charset=utf-8\"}"
        )
    }

    /// Handles what the load brings; at the word, retries the dead letters of a round, all in one operation.
    ///
    /// - Parameters:
    ///   - load: how many events the load has.
    ///   - begins: after how many of them the retry begins.
    static func replay(
        url: String,
        path: String,
        round: Int,
        load: Int,
        begins: Int,
        moments path2: String
    ) async throws {
        let database = try await Database.open("sqlite:\(path)", migrations: migrations, logger: .silent)
        let messaging = try DeliveryWorkers.runtime("consumer", url: url, database: database)
        let moments = Moments(count: load)
        let (warm, loaded, replays) = (Countdown(begins), Countdown(load), Countdown(replayed))
        messaging.subscriber.on(Asked.self) { event, delivery in
            try await delivery.commit { transaction in
                try transaction.execute(
                    "INSERT INTO effects (number, subject) VALUES ($1, $2)",
                    event.number,
                    event.subject
                )
                if event.number < load { transaction.afterCommit { moments.note(event.number) } }
            }
            if event.number < load {
                warm.happened()
                loaded.happened()
            } else {
                replays.happened()
            }
        }
        let running = Task { await messaging.run(grace: .seconds(10)) }
        try await DeliveryWorkers.connected(messaging)
        Conversation.readyAndWait()

        await warm.wait()
        var filter = DeadLetterFilter()
        filter.errorClass = errorClass(ofRound: round)
        let began = Meter.now()
        let cpu = Meter.cpu()
        let operation = try await messaging.operations.start(
            DeadLetterOperation.Plan(action: .retry, filter: filter),
            actor: "benchmark",
            reason: "to be measured"
        )
        Conversation.result("asked", Double(Meter.now() - began) / 1e6)
        await replays.wait()
        let ended = Meter.now()
        Conversation.result("began", Double(began))
        Conversation.result("ended", Double(ended))
        Conversation.result("cpu", Double(Meter.cpu() - cpu) / 1e9)
        DeliveryWorkers.group(database)
        Conversation.result("done", Double(try await messaging.operations.show(operation.id).done))
        await loaded.wait()
        try moments.write(to: path2)
        running.cancel()
        await running.value
        await database.close()
    }
}
