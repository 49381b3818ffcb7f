import Events
import JSON
import Messaging
import ServiceKit
import ShopEvents
import Telemetry
import Testing

@testable import CommandLine

@Suite("warren publish", .timeLimit(.minutes(5)))
struct PublishTests {
    @Test("sends an envelope under the full type, about the subject, as part of its flow")
    func envelope() async throws {
        let broker = FakeBroker()
        let outcome = await warren(
            "publish order.confirmed --force --subject 42 --data",
            #"{"a": 1.5}"#,
            broker: broker
        )
        #expect(outcome.code == 0)
        let event = try #require(broker.events.first)
        #expect(event.type == OrderConfirmed.type)
        #expect(event.subject == "42")
        #expect(event.correlationID == "42")
        #expect(event.source == "/order-service")
        #expect(event.sequence == nil)
        #expect(String(decoding: event.data, as: UTF8.self) == #"{"a": 1.5}"#)
        #expect(Timestamp(rfc3339: event.time ?? "")?.milliseconds != nil)
        #expect(event.id.count == 36 && event.id.dropFirst(14).first == "7")
        #expect(outcome.lines.map { $0.split(separator: " ").first } == ["ID", Substring(event.id)])
    }

    @Test("takes an example as the payload of the shop's own events, and {} for others")
    func examples() async throws {
        let broker = FakeBroker()
        for name in EventCatalogue.shortNames { _ = await warren("publish \(name) --subject 42", broker: broker) }
        _ = await warren("publish com.example.thing-done", broker: broker)
        #expect(EventCatalogue.types == Shop.events.map { $0.type })
        #expect(broker.events.map(\.type) == EventCatalogue.types + ["com.example.thing-done"])
        let confirmed = try #require(broker.events.first { $0.type == OrderConfirmed.type })
        #expect(try OrderConfirmed(decodingData: confirmed.data).orderID == "42")
        #expect(broker.events.last.map { String(decoding: $0.data, as: UTF8.self) } == "{}")
    }

    @Test("lets an event come from where its contract says, and others from the command, unless told otherwise")
    func source() async {
        let broker = FakeBroker()
        for words in [
            "order.placed", "payment.captured", "com.example.happened", "com.example.happened --source /test",
            "payment.voided --source /payment-service", "payment.voided --force --source /test",
        ] {
            #expect(await warren("publish \(words)", broker: broker).code == 0)
        }
        #expect(
            broker.events.map(\.source) == [
                "/order-service", "/payment-service", "/warren-command", "/test", "/payment-service", "/test",
            ]
        )
        let refused = await warren("publish payment.voided --source /test", broker: broker)
        #expect(refused.code == 2)
        #expect(refused.messages.contains("names the source /payment-service"))
        #expect(refused.messages.contains("--force"))
        #expect(broker.events.count == 6)
    }

    @Test("refuses what the contract forbids and names the field, unless that is wanted")
    func contract() async {
        let broker = FakeBroker()
        let data =
            #"{"orderID":"o-1","total":{"amount":"much","currency":"EUR"},"customer":{"email":"a@b.c","name":"A"}}"#
        let refused = await warren("publish order.confirmed --data", data, broker: broker)
        #expect(refused.code == 2)
        #expect(refused.messages.contains("data.total.amount is not valid"))
        #expect(refused.messages.contains("--force"))
        let negative = data.replacing(#""much""#, with: "-5")
        let nonsense = await warren("publish order.confirmed --data", negative, broker: broker)
        #expect(nonsense.code == 2)
        #expect(nonsense.messages.contains("data.total.amount must be from 1 to 999999999999"))
        let missing = await warren("publish order.confirmed --data {}", broker: broker)
        #expect(missing.messages.contains("data.orderID is missing"))
        #expect(broker.events.isEmpty)
        #expect(await warren("publish order.confirmed --force --data", data, broker: broker).code == 0)
        #expect(broker.events.count == 1)
        #expect(await warren("publish com.example.happened --data {}", broker: broker).code == 0)
    }

    @Test("takes the subject from a payload that says what it is about, and minds one that says otherwise")
    func subjectOfPayload() async {
        let broker = FakeBroker()
        let data = #"{"orderID":"o-1"}"#
        _ = await warren("publish payment.voided --count 2 --data", data, broker: broker)
        #expect(broker.events.map(\.subject) == ["o-1", "o-1"])
        let other = await warren("publish payment.voided --subject o-2 --data", data, broker: broker)
        #expect(other.code == 2)
        #expect(other.messages.contains("o-1"))
        #expect(await warren("publish payment.voided --force --subject o-2 --data", data, broker: broker).code == 0)
    }

    @Test("reads the payload from standard input")
    func standardInput() async {
        let broker = FakeBroker()
        _ = await warren("publish com.example.happened --data -", broker: broker, input: "[1, 2]\n")
        #expect(broker.events.first.map { String(decoding: $0.data, as: UTF8.self) } == "[1, 2]\n")
    }

    @Test("makes a new id for each of many, and a new subject unless one is given")
    func many() async {
        let free = FakeBroker()
        let outcome = await warren("publish order.confirmed --count 600 -o jsonl", broker: free)
        #expect(outcome.code == 0)
        #expect(Set(free.events.map(\.id)).count == 600)
        #expect(Set(free.events.map(\.subject)).count == 600)
        #expect(Set(outcome.records.compactMap { $0["id"]?.text }) == Set(free.events.map(\.id)))

        let bound = FakeBroker()
        let ordered = await warren("publish order.confirmed --count 100 --subject 42 -o jsonl", broker: bound)
        #expect(Set(bound.events.map(\.subject)) == ["42"])
        #expect(ordered.records.compactMap { $0["id"]?.text } == bound.events.map(\.id))
    }

    @Test("keeps to the rate")
    func rate() async {
        let start = ContinuousClock.now
        let broker = FakeBroker()
        _ = await warren("publish order.confirmed --count 6 --rate 50", broker: broker)
        #expect(broker.events.count == 6)
        #expect(ContinuousClock.now - start >= .milliseconds(100))
    }

    @Test("can send an event again under its id, but not several under one")
    func identity() async {
        let broker = FakeBroker()
        _ = await warren("publish order.confirmed --id one --force --source /test", broker: broker)
        #expect(broker.events.map(\.id) == ["one"])
        #expect(broker.events.map(\.source) == ["/test"])
        #expect(await warren("publish order.confirmed --id one --count 2", broker: broker).code == 2)
    }

    @Test(
        "refuses what no service could take, before anything is sent",
        arguments: [
            ["--data", "{"], ["--data", "[1,]"], ["--data", #"{"a":1,"a":2}"#], ["--data", ""],
            ["--data", #"1,"x":2"#], ["--data", "@/no/such/file"], ["--subject="], ["--id="], ["--source="],
            ["--subject", String(repeating: "x", count: 256)], ["--subject", "a\u{7}b"], ["--count", "0"],
            ["--count", "many"], ["--rate", "0"], ["--rate", "nan"], ["--timeout", "soon"],
        ]
    )
    func refused(words: [String]) async {
        let broker = FakeBroker()
        let sink = Collector()
        let code = await run(
            arguments: ["publish", "order.confirmed"] + words,
            environment: [:],
            output: Output(data: { _ in }, messages: { sink.add($0) }),
            http: FakeServices(),
            broker: broker
        )
        #expect(code == 2, "\(words): \(sink.text)")
        #expect(broker.events.isEmpty)
    }

    @Test("says what became of an event that nobody listens to, and what was probably meant")
    func unroutable() async {
        let broker = FakeBroker(limit: 0, failure: PublishFailure(kind: .unroutable, reason: "returned"))
        let outcome = await warren("publish order.confirmd", broker: broker)
        #expect(outcome.code == 1)
        #expect(outcome.data.isEmpty)
        #expect(outcome.messages.contains("no queue listens to order.confirmd"))
        #expect(outcome.messages.contains("Did you mean `order.confirmed`?"))
        #expect(outcome.messages.contains("It is kept nowhere"))
        let own = await warren("publish com.example.points-granted", broker: broker)
        #expect(own.code == 1)
        #expect(own.messages.contains("no queue listens to com.example.points-granted"))
        #expect(!own.messages.contains("Did you mean"))
    }

    @Test("ends with 7 when the broker is away, with 5 when it does not confirm, with 1 when it refuses")
    func failures() async {
        let away = await warren("publish order.confirmed", broker: FakeBroker(isConnected: false))
        #expect(away.code == 7)
        #expect(away.messages.contains("WARREN_AMQP_URL"))
        let silent = FakeBroker(limit: 0, failure: PublishFailure(kind: .timedOut, reason: "lost"))
        let unknown = await warren("publish order.confirmed --id one", broker: silent)
        #expect(unknown.code == 5)
        #expect(unknown.messages.contains("--id one"))
        let refusing = FakeBroker(limit: 0, failure: PublishFailure(kind: .refused, reason: "nacked"))
        #expect(await warren("publish order.confirmed", broker: refusing).code == 1)
    }

    @Test("ends with 2 for a broker's URL that is none, and does not show what may hold a password")
    func noBrokerURL() async {
        let wrong = await warren(
            "publish order.confirmed",
            environment: ["WARREN_AMQP_URL": "http://guest:geheim@broker"],
            broker: FakeBroker()
        )
        #expect(wrong.code == 2)
        #expect(wrong.messages.contains("WARREN_AMQP_URL"))
        #expect(!wrong.messages.contains("geheim"))
    }

    @Test("waits no longer than it may for a broker that takes nothing")
    func blocked() async {
        let outcome = await warren("publish order.confirmed --timeout 50ms", broker: BlockedBroker())
        #expect(outcome.code == 5)
    }

    @Test("reports those that went out before one failed, and ends with 6")
    func partly() async {
        let broker = FakeBroker(limit: 3, failure: PublishFailure(kind: .refused, reason: "nacked"))
        let outcome = await warren("publish order.confirmed --count 5 --subject 42 -o json", broker: broker)
        #expect(outcome.code == 6)
        #expect(outcome.messages.contains("3 of 5 events are published"))
        let records = try? JSONValue(parsing: Array(outcome.data.utf8)).array
        #expect(records?.compactMap { $0["id"]?.text } == broker.events.map(\.id))
    }

    private struct BlockedBroker: EventBroker {
        func withConnection(
            to url: String,
            timeout: Duration,
            _ body: (@escaping Publish) async throws -> Void
        ) async throws {
            try await body { _ in try await ContinuousClock().sleep(for: .seconds(3600)) }
        }

        func queues(_ names: [String], at url: String, timeout: Duration) async throws -> [BrokerView.Queue] { [] }
    }
}
