import Foundation
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import AMQP

@Suite(
    "Recovery from broken connections",
    .enabled(if: TestBroker.url != nil, TestBroker.missing),
    .timeLimit(.minutes(5))
)
struct RecoveryTests {
    private let proxy: TestProxy
    private let name = TestBroker.uniqueName()
    private var topology: BrokerTopology { TestBroker.topology(TestBroker.queue(name)) }

    init() throws {
        proxy = try TestProxy(to: TestBroker.port)
    }

    private func publisher(_ change: (inout ConnectionConfiguration) -> Void = { _ in }) throws -> Publisher {
        var configuration = try TestBroker.configuration(port: proxy.port)
        change(&configuration)
        return Publisher(configuration, topology: topology, logger: testLogger)
    }

    private func consumer(prefetch: Int = 256) throws -> Consumer {
        Consumer(
            try TestBroker.configuration(port: proxy.port),
            queue: name,
            prefetch: prefetch,
            topology: topology,
            logger: testLogger
        )
    }

    private func publication(_ text: String) -> Publication {
        Publication(exchange: "", routingKey: name, message: Message(text, id: text))
    }

    @Test("What is in flight when the connection breaks is reported as unknown; what waits is sent on the next one")
    func inFlight() async throws {
        let publisher = try publisher()
        try await running([publisher]) {
            try await publisher.publish(publication("first"))
            let states = publisher.states
            // The broker's answers are held back, so that the message is in flight for certain.
            proxy.freeze()
            let outcome = Mutex<AMQPError??>(nil)
            let (done, signal) = AsyncStream.makeStream(of: Void.self)
            publisher.submit([publication("in flight")]) { _, error in
                outcome.withLock { $0 = .some(error) }
                signal.finish()
            }
            try await eventually("the message is on its way") { publisher.statistics.inFlight == 1 }
            proxy.refuse(true)
            proxy.cut()
            try await within(.seconds(60), "outcome") { for await _ in done {} }
            #expect(outcome.withLock { $0 }??.code == .connectionLost)
            #expect(outcome.withLock { $0 }??.mayHaveArrived == true)

            let (closed, closedSignal) = AsyncStream.makeStream(of: AMQPError?.self)
            publisher.submit([publication("never sent")]) { _, error in closedSignal.yield(error) }
            let error = try await within(.seconds(60), "outcome") { await closed.first { _ in true } }
            #expect(error??.code == .closed)
            #expect(error??.mayHaveArrived == false)

            async let waiting: Void = publisher.publish(publication("waits"))
            proxy.refuse(false)
            proxy.thaw()
            try await reached(states, "ready again") { $0 == .ready }
            try await waiting
        }
        #expect(publisher.statistics.reconnects >= 1)
        #expect(publisher.statistics.unknown == 1)
    }

    @Test("After a break the consumer goes on by itself: redelivered, with new tags, and old tags are dropped")
    func redelivery() async throws {
        try await TestBroker.withSession { [topology] session throws(AMQPError) in try session.declare(topology) }
        let consumer = try consumer()
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            try await publisher.publish(publication("a"))
            let first = try #require(try await collect(1, from: consumer).first)
            #expect(!first.redelivered && first.tag == IncomingMessage.Tag(connection: 1, number: 1))
            proxy.cut()
            let second = try #require(try await collect(1, from: consumer).first)
            #expect(second.redelivered && second.tag.connection > 1 && second.tag.number == 1)
            consumer.ack(first.tag)
            consumer.reject(first.tag, requeue: false)
            try await eventually("the old tags are dropped") { consumer.statistics.staleAcks == 2 }
            consumer.ack([second.tag, second.tag])
            try await eventually("the ack is written") { consumer.statistics.settled == 1 }
            #expect(consumer.statistics.staleAcks == 3)
            // The stale ones did no harm: the channel still works.
            try await publisher.publish(publication("b"))
            let third = try #require(try await collect(1, from: consumer).first)
            #expect(third.message.body == Array("b".utf8) && third.tag.connection == second.tag.connection)
        }
    }

    @Test("Deliveries that were not taken before a break do not come twice")
    func untaken() async throws {
        try await TestBroker.withSession { [topology] session throws(AMQPError) in try session.declare(topology) }
        let consumer = try consumer()
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            for text in ["a", "b", "c"] { try await publisher.publish(publication(text)) }
            try await eventually("3 deliveries") { consumer.statistics.delivered == 3 }
            let states = consumer.states
            proxy.cut()
            try await reached(states, "closed") { if case .closed = $0 { true } else { false } }
            try await eventually("6 deliveries") { consumer.statistics.delivered >= 6 }
            let messages = try await collect(3, from: consumer)
            #expect(messages.map { String(decoding: $0.message.body, as: UTF8.self) } == ["a", "b", "c"])
            #expect(messages.allSatisfy { $0.tag.connection > 1 })
        }
    }

    @Test(
        "Whatever the broker closes, the link comes back and says why it went",
        arguments: [
            (Frames.connectionClose(320, "CONNECTION_FORCED - closed by an operator"), "closed by an operator"),
            (Frames.connectionClose(501, "FRAME_ERROR - test"), "FRAME_ERROR"),
            (Frames.channelClose(404, "NOT_FOUND - no exchange 'x'"), "no exchange 'x'"),
            (Frames.consumerCancel("warren"), "cancelled the consumer"),
            ([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], "receiving"),
            (Frames.method(1, 60, 60, [1, 0x77, 0, 0]), "receiving"),
        ] as [([UInt8], String)]
    )
    func closes(frame: [UInt8], mention: String) async throws {
        let consumer = try consumer()
        try await running([], [consumer]) {
            try await reached(consumer.states, "ready") { $0 == .ready }
            let states = consumer.states
            proxy.inject(frame)
            let state = try await reached(states, "closed") { if case .closed = $0 { true } else { false } }
            guard case .closed(let cause) = state else { return }
            #expect(cause.contains(mention), "\(cause)")
            try await reached(states, "ready again") { $0 == .ready }
            #expect(consumer.lastFailure == nil)
        }
    }

    @Test("A consumer that the broker cancels over a late ack comes back, and gets what was unacknowledged once more")
    func lateAck() async throws {
        let consumer = try consumer()
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            try await publisher.publish(publication("late"))
            let first = try #require(try await collect(1, from: consumer).first)
            let states = consumer.states
            proxy.inject(Frames.consumerCancel("warren"))
            try await reached(states, "closed") {
                if case .closed(let cause) = $0 { cause.contains("longer than the broker allows") } else { false }
            }
            let second = try #require(try await collect(1, from: consumer).first)
            #expect(second.message.body == first.message.body)
            #expect(second.redelivered && second.tag.connection > first.tag.connection)
            // What comes late is not taken for the new delivery's ack.
            consumer.ack(first.tag)
            consumer.ack(second.tag)
            try await eventually("one ack counts") { consumer.statistics.settled == 1 }
            #expect(consumer.statistics.staleAcks == 1)
        }
    }

    @Test("Headers nested as deep as a frame allows do not crash the decoder", arguments: ["F", "A"])
    func nestedHeaders(kind: String) async throws {
        let consumer = try consumer()
        try await running([], [consumer]) {
            try await reached(consumer.states, "ready") { $0 == .ready }
            proxy.inject(Frames.delivery(tag: 1, queue: name, headers: Frames.nestedTable(kind, frameSize: 131_072)))
            let message = try #require(try await collect(1, from: consumer).first)
            #expect(message.message.properties.headers?.entries.count == 1)
            // The tag is unknown to the broker, so it is not acknowledged.
        }
    }

    @Test("While the broker blocks, publishes wait; they can be cancelled, and go out when it unblocks")
    func blocked() async throws {
        let publisher = try publisher()
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            let states = publisher.states
            proxy.inject(Frames.blocked("low on memory"))
            try await reached(states, "blocked") { $0 == .blocked(reason: "low on memory") }
            let impatient = Task { try await publisher.publish(publication("impatient")) }
            let patient = Task { try await publisher.publish(publication("patient")) }
            impatient.cancel()
            await #expect(throws: CancellationError.self) { try await impatient.value }
            try await eventually("the message waits") { publisher.statistics.waiting == 1 }
            // Nothing signals that something does not happen; a confirm would take a few milliseconds.
            try await Task.sleep(for: .milliseconds(200))
            #expect(publisher.statistics.waiting == 1)
            #expect(publisher.statistics.confirmed == 0)
            proxy.inject(Frames.unblocked)
            try await within(.seconds(60), "the confirm") { try await patient.value }
            #expect(publisher.state == .ready)
        }
        // The cancelled one was never sent.
        let messages = try await drain(name, topology, count: 1)
        #expect(messages.map(\.message.properties.messageID) == ["patient"])
    }

    @Test("A nack is an error of its own, and the message may be tried again")
    func nacked() async throws {
        let publisher = try publisher()
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            proxy.freeze()
            let publishing = Task { try await publisher.publish(publication("refused")) }
            try await eventually("the message is on its way") { publisher.statistics.inFlight == 1 }
            proxy.inject(Frames.nack(1, multiple: false))
            await #expect { try await publishing.value } throws: { ($0 as? AMQPError)?.code == .nacked }
            // Nobody would answer the good-bye.
            proxy.cut()
        }
        #expect(publisher.statistics.nacked == 1)
    }

    @Test(
        "A queue that exists with another argument: the state names the argument and the mend, and the link keeps trying"
    )
    func preconditionFailed() async throws {
        let holder = try publisher()
        try await running([holder]) {
            try await reached(holder.states, "ready") { $0 == .ready }
            let other = TestBroker.topology(TestBroker.queue(name, type: "classic"))
            let publisher = Publisher(try TestBroker.configuration(), topology: other, logger: testLogger)
            try await running([publisher]) {
                let states = publisher.states
                for _ in 0..<2 {
                    let state = try await reached(states, "closed") {
                        if case .closed(let cause) = $0 { cause.contains("406") } else { false }
                    }
                    guard case .closed(let cause) = state else { return }
                    #expect(cause.contains("'x-queue-type'") && cause.contains(name) && cause.contains("delete it"))
                }
                #expect(publisher.lastFailure?.code == .preconditionFailed)
                try await deleteQueue(name)
                try await reached(states, "mended") { $0 == .ready }
            }
        }
    }

    @Test("A passive topology is verified: what is missing is named, and found once it is there")
    func passive() async throws {
        var passive = topology
        passive.passive = true
        let publisher = Publisher(try TestBroker.configuration(), topology: passive, logger: testLogger)
        try await running([publisher]) {
            let states = publisher.states
            try await reached(states, "not found") {
                if case .closed(let cause) = $0 { cause.contains(name) && cause.contains("404") } else { false }
            }
            #expect(publisher.lastFailure?.code == .notFound)
            try await running([try self.publisher()]) { try await reached(states, "found") { $0 == .ready } }
        }
    }

    @Test("Wrong credentials are named, without the password, and the link keeps trying")
    func accessRefused() async throws {
        let url = "amqp://warren-nobody:secret@127.0.0.1:\(proxy.port)/"
        var configuration = try ConnectionConfiguration(urls: [url], name: "refused")
        configuration.backoff = .milliseconds(10) ... .milliseconds(50)
        let publisher = Publisher(configuration, logger: testLogger)
        try await running([publisher]) {
            let states = publisher.states
            for _ in 0..<2 {
                let state = try await reached(states, "refused") {
                    if case .closed(let cause) = $0 { cause.contains("403") } else { false }
                }
                #expect(!"\(state)".contains("secret"))
            }
            #expect(publisher.lastFailure?.code == .accessRefused)
        }
        #expect(proxy.accepted >= 2)
    }

    @Test(
        "Why there is no connection is said in words that help",
        arguments: [
            ("amqp://127.0.0.1:1/", "refused"), ("amqp://warren.invalid/", "hostname"), ("vhost", "virtual host"),
        ]
    )
    func reasons(uri: String, mention: String) async throws {
        let url = uri == "vhost" ? try #require(TestBroker.url) + "warren-nowhere" : uri
        let publisher = Publisher(try ConnectionConfiguration(urls: [url], name: "n"), logger: testLogger)
        try await running([publisher]) {
            try await reached(publisher.states, "the reason") {
                if case .closed(let cause) = $0 { cause.contains(mention) } else { false }
            }
        }
    }

    @Test("Of several brokers the first that answers is used")
    func severalBrokers() async throws {
        let unused = try TestProxy(to: TestBroker.port)
        unused.refuse(true)
        let urls = try [unused.port, proxy.port].map { port in
            let configuration = try TestBroker.configuration(port: port)
            return configuration.urls[0]
        }
        let publisher = Publisher(
            try ConnectionConfiguration(urls: urls, name: "n"),
            topology: topology,
            logger: testLogger
        )
        try await running([publisher]) { try await publisher.publish(publication("x")) }
        #expect(unused.accepted >= 1 && proxy.accepted >= 1)
    }

    @Test("A message that cannot be sent is refused without touching the connection")
    func invalidMessage() async throws {
        let publisher = try publisher()
        try await running([publisher]) {
            var bad = publication("bad")
            bad.message.properties.messageID = String(repeating: "x", count: 300)
            let codes = try await outcomes(of: [publication("a"), bad, publication("b")], by: publisher).map(\.?.code)
            #expect(codes == [nil, .invalidMessage, nil])
            await #expect { try await publisher.publish(bad) } throws: { ($0 as? AMQPError)?.code == .invalidMessage }
        }
        #expect(publisher.statistics.connections == 1)
    }

    @Test("After `run` nothing hangs: publishes fail, acks are dropped, sequences end")
    func afterRun() async throws {
        let publisher = try publisher()
        let consumer = try consumer()
        try await running([publisher], [consumer]) { try await reached(consumer.states, "ready") { $0 == .ready } }
        await #expect { try await publisher.publish(publication("x")) } throws: { ($0 as? AMQPError)?.code == .closed }
        let (stream, continuation) = AsyncStream.makeStream(of: AMQPError?.self)
        publisher.submit([publication("x")]) { _, error in continuation.yield(error) }
        #expect(await stream.first { _ in true }??.code == .closed)
        consumer.ack(IncomingMessage.Tag(connection: 1, number: 1))
        #expect(consumer.statistics.staleAcks == 1)
        try await within(.seconds(60), "the ends") {
            for await _ in consumer.bursts {}
            for await _ in consumer.states {}
            for await _ in publisher.states {}
        }
    }

    @Test("Cut twenty times at full speed: every confirmed message is consumed, and the books agree")
    func manyCuts() async throws {
        try await TestBroker.withSession { [topology] session throws(AMQPError) in try session.declare(topology) }
        let publisher = try publisher()
        let consumer = try consumer(prefetch: 100)
        let received = Received()
        var expected: Set<String> = []
        try await running([publisher], [consumer]) {
            let reader = Task {
                for await burst in consumer.bursts {
                    received.ids.withLock { $0.formUnion(burst.compactMap(\.message.properties.messageID)) }
                    consumer.ack(burst.map(\.tag))
                }
            }
            let cutter = Task { [proxy] in
                for _ in 0..<20 {
                    try await reached(publisher.states, "the publisher is ready") { $0 == .ready }
                    try await reached(consumer.states, "the consumer is ready") { $0 == .ready }
                    try await Task.sleep(for: .milliseconds(20))
                    let earlier = (publisher.statistics.reconnects, consumer.statistics.reconnects)
                    proxy.cut()
                    try await eventually("both have noticed and are back") {
                        publisher.statistics.reconnects > earlier.0 && consumer.statistics.reconnects > earlier.1
                    }
                }
            }
            var waiting = (0..<4_000).map { "\($0)" }
            while !waiting.isEmpty {
                let batch = Array(waiting.prefix(200))
                let outcomes = try await outcomes(of: batch.map(publication), by: publisher)
                let failed = zip(batch, outcomes).filter { $0.1 != nil }.map(\.0)
                expected.formUnion(Set(batch).subtracting(failed))
                waiting = failed + waiting.dropFirst(200)
            }
            try await cutter.value
            let wanted = expected
            try await eventually("all are received", within: .seconds(120)) {
                received.ids.withLock { $0.isSuperset(of: wanted) }
            }
            consumer.stopConsuming()
            await reader.value
        }
        #expect(expected.count == 4_000)
        #expect(publisher.statistics.confirmed == 4_000)
        #expect(publisher.statistics.reconnects >= 20 && consumer.statistics.reconnects >= 20)
    }
}

/// The message ids that came in.
private final class Received: Sendable {
    let ids = Mutex<Set<String>>([])
}
