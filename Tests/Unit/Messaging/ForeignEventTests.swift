import AMQP
import Database
import Events
import JSON
import Synchronization
import Telemetry
import Testing

@testable import Messaging

/// What only one source may say.
private struct Decided: Event {
    static let type: EventType = "dev.warren.test.decided"
    static let source: String? = "/court"
    var subject: String
}

@Suite("What other people's programs send", .timeLimit(.minutes(5)))
struct ForeignEventTests {
    private static let data = #"{"subject":"a","number":7}"#

    /// A message in binary mode.
    private func binary(
        _ prefix: String,
        contentType: String? = "application/json",
        body: [UInt8] = Array(ForeignEventTests.data.utf8),
        _ change: (inout FieldTable) -> Void = { _ in }
    ) -> Message {
        var headers = FieldTable()
        for (name, value) in [
            ("specversion", "1.0"), ("id", "7"), ("source", "/elsewhere"), ("type", Happened.type.rawValue),
        ] {
            headers[prefix + name] = .string(value)
        }
        change(&headers)
        var properties = MessageProperties()
        properties.contentType = contentType
        properties.headers = headers
        return Message(body: body, properties: properties)
    }

    /// A message in structured mode.
    private func structured(
        contentType: String = "application/cloudevents+json",
        source: String = "/elsewhere",
        type: EventType = Happened.type,
        id: String = "7",
        more: String = "",
        data: String = ForeignEventTests.data
    ) -> Message {
        var properties = MessageProperties()
        properties.contentType = contentType
        let text =
            #"{"specversion":"1.0","id":"\#(id)","source":"\#(source)","type":"\#(type)"\#(more),"data":\#(data)}"#
        return Message(body: Array(text.utf8), properties: properties)
    }

    private func letter(_ bench: Bench) async throws -> DeadLetter {
        let letters = try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10)
        #expect(letters.count == 1)
        return try await bench.deadLetters.show(try #require(letters.first).id)
    }

    @Test("is taken in structured mode without a message-id, a subject and a time")
    func bareStructured() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            await bench.receive(bench.message(structured()))
            await bench.receive(bench.message(structured()))
            #expect(try await bench.effects() == [7], "source and id tell that it is the same")
            var other = structured(contentType: #"Application/CloudEvents+JSON ; charset="UTF-8""#, id: "8")
            other.properties.messageID = "a client's own"
            other.properties.contentEncoding = "utf-8"
            await bench.receive(bench.message(other))
            #expect(try await bench.effects() == [7, 7])
        }
    }

    @Test("is taken in binary mode by each prefix", arguments: ["ce-", "cloudEvents:", "cloudEvents_", "CE-"])
    func binary(prefix: String) async throws {
        try await withBench { bench async throws in
            let seen = Mutex<Envelope?>(nil)
            bench.subscriber.on(Happened.self) { event, delivery in
                seen.withLock { $0 = delivery.envelope }
                try await delivery.commit { transaction in
                    try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                }
            }
            let message = binary(prefix) { headers in
                headers["\(prefix)subject"] = .string("a")
                headers["\(prefix)time"] = .timestamp(1_767_225_600)
                headers["\(prefix)sequence"] = .int64(5)
                headers["\(prefix)partitionkey"] = .bytes(Array("p".utf8))
                headers["\(prefix)urgent"] = .boolean(true)
                headers["x-other"] = .string("no attribute")
            }
            await bench.receive(bench.message(message))
            await bench.receive(bench.message(message))
            #expect(try await bench.effects() == [7])
            let envelope = try #require(seen.withLock { $0 })
            #expect(envelope.subject == "a" && envelope.time == "2026-01-01T00:00:00.000Z" && envelope.sequence == 5)
            #expect(envelope.extensions == ["partitionkey": "p", "urgent": "true"])
        }
    }

    @Test("in binary mode that waits is kept in structured mode, with its headers, and handled from there")
    func keptBinary() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            await bench.receive(bench.message(binary("ce-"), redelivered: true))
            let kept = try #require(try await bench.column("body", of: [UInt8].self).first)
            #expect(try Envelope(decoding: kept).data == Array(Self.data.utf8))
            let properties = try #require(try await bench.column("properties", of: String.self).first)
            #expect(properties.contains(#""ce-id":"7""#))
            try await bench.settle { lives in lives.allSatisfy { $0.status == "processed" } }
            #expect(try await bench.effects() == [7])
        }
    }

    @Test("is handled as bytes where its data is not JSON, in both modes")
    func bytes() async throws {
        try await withBench { bench async throws in
            let seen = Mutex<[(String, [UInt8])]>([])
            bench.subscriber.onBytes(of: Happened.type) { data, delivery in
                seen.withLock { $0.append((delivery.envelope.dataContentType, data)) }
            }
            let image: [UInt8] = [0x89, 0x50, 0x00, 0xFF]
            await bench.receive(bench.message(binary("ce-", contentType: "image/png", body: image)))
            await bench.receive(
                bench.message(
                    structured(id: "8", more: #","datacontenttype":"application/xml""#, data: #""<a/>""#)
                )
            )
            let untyped = binary("ce-", contentType: nil, body: image) { $0["ce-id"] = .string("9") }
            await bench.receive(bench.message(untyped))
            let json = binary("ce-", contentType: nil) { $0["ce-id"] = .string("10") }
            await bench.receive(bench.message(json))
            let found = seen.withLock { $0 }
            #expect(found.map(\.0) == ["image/png", "application/xml", "application/octet-stream", "application/json"])
            #expect(found.map(\.1) == [image, Array("<a/>".utf8), image, Array(Self.data.utf8)])
        }
    }

    @Test("is a dead letter where a handler expects JSON and the data is something else, or not there")
    func noJSON() async throws {
        for message in [
            binary("ce-", contentType: "text/plain"), binary("ce-", body: []),
        ] {
            try await withBench { bench async throws in
                bench.recordEffects()
                await bench.receive(bench.message(message))
                #expect(try await letter(bench).errorClass == "event.invalid-data")
            }
        }
    }

    @Test("without a subject has no order: none is held by another, and a dead one holds nobody")
    func noOrder() async throws {
        try await withBench { bench async throws in
            bench.recordEffects(refusing: 1)
            let numbered = { (number: Int) in
                structured(id: "\(number)", data: #"{"subject":"a","number":\#(number)}"#)
            }
            await bench.receive(bench.message(numbered(1)))
            await bench.receive(bench.message(numbered(2)), bench.message(numbered(3)))
            #expect(try await bench.effects().sorted() == [2, 3])
            #expect(try await bench.lives().map(\.status).sorted() == ["dead", "processed", "processed"])
            // Also as rows: what is suspected goes through the table.
            await bench.receive(bench.message(numbered(4), redelivered: true))
            try await bench.settle { lives in lives.allSatisfy { $0.status != "scheduled" } }
            #expect(try await bench.effects().sorted() == [2, 3, 4])
        }
    }

    @Test("from another source than the contract names is a dead letter, and holds up nothing of the right one's")
    func foreignSource() async throws {
        try await withBench { bench async throws in
            let handled = Mutex(0)
            bench.subscriber.on(Decided.self) { _, _ in handled.withLock { $0 += 1 } }
            let more = #","subject":"a""#
            let (foreign, right) = (
                structured(type: Decided.type, id: "1", more: more, data: #"{"subject":"a"}"#),
                structured(source: "/court", type: Decided.type, id: "2", more: more, data: #"{"subject":"a"}"#)
            )
            await bench.receive(bench.message(foreign), bench.message(right))
            let letter = try await letter(bench)
            #expect(letter.errorClass == "event.foreign-source")
            #expect(letter.errorMessage.contains("/court") && letter.errorMessage.contains("/elsewhere"))
            #expect(handled.withLock { $0 } == 1)
        }
    }

    @Test(
        "says why it is not taken",
        arguments: [
            ("gzip", "event.unsupported-encoding", "gzip"), ("latin", "event.unsupported-encoding", "iso-8859-1"),
            ("binary latin", "event.unsupported-encoding", "iso-8859-1"),
            ("mark", "event.unsupported-encoding", "byte-order"),
            ("batch", "event.batch", "a message of its own"), ("array", "event.batch", "a message of its own"),
            ("avro", "event.unsupported-encoding", "cloudevents+avro"),
            ("plain", "event.not-a-cloudevent", "text/plain"),
            ("nothing", "event.not-a-cloudevent", "absent"), ("no id", "event.missing-attribute", "id"),
            ("twice", "event.duplicate-key", "id"), ("table", "event.invalid-attribute", "ce-x"),
            ("closed", "event.malformed-json", "data"), ("version", "event.invalid-attribute", "specversion"),
            ("data header", "event.invalid-attribute", "ce-data"), ("broken", "event.malformed-json", "data"),
        ]
    )
    func reasons(kind: String, errorClass: String, words: String) async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            var message = structured()
            switch kind {
            case "gzip": message.properties.contentEncoding = "gzip"
            case "latin": message.properties.contentType = "application/cloudevents+json; charset=ISO-8859-1"
            case "binary latin": message = binary("ce-", contentType: "application/json; charset=iso-8859-1")
            case "mark": message.body = [0xEF, 0xBB, 0xBF] + message.body
            case "batch": message.properties.contentType = "application/cloudevents-batch+json"
            case "array": message.body = Array("[".utf8) + message.body + Array("]".utf8)
            case "avro": message.properties.contentType = "application/cloudevents+avro"
            case "plain": message.properties.contentType = "text/plain"
            case "nothing": message.properties = MessageProperties()
            case "no id": message = binary("ce-") { $0["ce-id"] = .void }
            case "twice": message = binary("ce-") { $0["cloudEvents:id"] = .string("8") }
            case "table": message = binary("ce-") { $0["ce-x"] = .table(FieldTable()) }
            case "closed": message = binary("ce-", body: Array(#"1},"id":"2""#.utf8))
            case "version": message = binary("ce-") { $0["ce-specversion"] = .string("0.3") }
            case "data header": message = binary("ce-") { $0["ce-data"] = .string("{}") }
            case "broken": message = binary("ce-", body: Array("{".utf8))
            default: Issue.record("unknown kind \(kind)")
            }
            await bench.receive(bench.message(message))
            let letter = try await letter(bench)
            #expect(letter.errorClass == errorClass)
            #expect(letter.errorMessage.contains(words))
            #expect(letter.body == message.body, "what cannot be read is kept as it came")
            #expect(try await bench.effects().isEmpty)
        }
    }

    @Test("with a priority is handled, counted, and said once")
    func priority() async throws {
        let log = LineCount(
            "a message came with a priority, by which it may have overtaken others of its subject; its sender should set none"
        )
        try await withBench(logger: Logger("test", sink: log)) { bench async throws in
            bench.recordEffects()
            for id in 1...3 {
                var message = structured(id: "\(id)")
                message.properties.priority = id == 3 ? 0 : 9
                await bench.receive(bench.message(message))
            }
            #expect(try await bench.effects() == [7, 7, 7])
            #expect(bench.counters.value.prioritised == 2)
            #expect(log.value == 1)
        }
    }

    @Test("whose id is long can be the cause of an event of our own")
    func longCause() async throws {
        try await withBench { bench async throws in
            bench.subscriber.on(Happened.self) { _, delivery in
                try await delivery.commit { transaction in try transaction.append(Unheard(subject: "b")) }
            }
            let id = String(repeating: "x", count: 2_000)
            await bench.receive(bench.message(structured(id: id, more: #","correlationid":5"#)))
            let stored = try await bench.database.read { transaction in
                try transaction.query("SELECT envelope FROM warren_events").map { try $0[0] as [UInt8] }
            }
            let event = try Envelope(decoding: try #require(stored.first))
            #expect(event.causationID == id)
            #expect(event.correlationID == "b")
        }
    }
}
