import AMQP
import Foundation
import Synchronization
import Telemetry
import Testing

@Suite("Publishing to a real broker", .enabled(if: TestBroker.url != nil, TestBroker.missing), .timeLimit(.minutes(5)))
struct PublishingTests {
    @Test("A published message is confirmed and can be consumed and acknowledged")
    func roundTrip() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        let consumer = Consumer(try TestBroker.configuration(), queue: name, topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            try await publisher.publish(Publication(exchange: "", routingKey: name, message: Message("hello", id: "1")))
            let message = try #require(try await collect(1, from: consumer).first)
            #expect(message.message.body == Array("hello".utf8))
            #expect(message.routingKey == name)
            #expect(!message.redelivered)
            consumer.ack(message.tag)
        }
        #expect(publisher.statistics.confirmed == 1)
        #expect(consumer.statistics.settled == 1)
    }

    @Test("Many tasks that publish and acknowledge one by one get in nobody's way: each message is there once")
    func manyTasks() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let tasks = 8
        let each = 500
        let acking = Mutex<[Task<Void, Never>]>([])
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        let consumer = Consumer(try TestBroker.configuration(), queue: name, topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            // The connections' threads fall asleep and are woken all the time; whoever comes writes in their place.
            let publishing = Task {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<tasks {
                        group.addTask {
                            for number in 0..<each {
                                let message = Message("\(task * each + number)")
                                try await publisher.publish(
                                    Publication(exchange: "", routingKey: name, message: message)
                                )
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            let messages = try await collect(tasks * each, from: consumer, within: .seconds(240)) { burst in
                let tasks = burst.map { message in Task { consumer.ack(message.tag) } }
                acking.withLock { $0 += tasks }
            }
            try await publishing.value
            let bodies = messages.map { String(decoding: $0.message.body, as: UTF8.self) }
            #expect(Set(bodies) == Set((0..<tasks * each).map(String.init)))
            #expect(bodies.count == tasks * each)
            for task in acking.withLock({ $0 }) { await task.value }
        }
        #expect(publisher.statistics.confirmed == tasks * each)
        #expect(consumer.statistics.settled == tasks * each)
    }

    @Test("A mandatory message that reaches no queue is returned, and only that one")
    func mandatoryReturn() async throws {
        let name = TestBroker.uniqueName()
        let publisher = Publisher(
            try TestBroker.configuration(),
            topology: TestBroker.topology(TestBroker.queue(name)),
            logger: testLogger
        )
        try await running([publisher]) {
            let routed = Publication(exchange: "", routingKey: name, message: Message("a", id: "same"))
            let lost = Publication(exchange: "", routingKey: name + "-missing", message: Message("a", id: "same"))
            let silent = Publication(
                exchange: "",
                routingKey: name + "-missing",
                mandatory: false,
                message: Message("a", id: "same")
            )
            let outcomes = try await outcomes(of: [routed, lost, silent, routed, lost], by: publisher)
            #expect(outcomes.map(\.?.code) == [nil, .returned, nil, nil, .returned])
            await #expect { try await publisher.publish(lost) } throws: { ($0 as? AMQPError)?.code == .returned }
        }
        #expect(publisher.statistics.returned == 3)
        #expect(publisher.statistics.confirmed == 3)
    }
}

/// Submits a burst once the publisher is connected and waits for all of its outcomes.
func outcomes(of burst: [Publication], by publisher: Publisher) async throws -> [AMQPError?] {
    try await reached(publisher.states, "ready") { $0 == .ready }
    return try await within(.seconds(240), "outcomes") {
        let (stream, continuation) = AsyncStream.makeStream(of: (Int, AMQPError?).self)
        publisher.submit(burst) { index, error in continuation.yield((index, error)) }
        var outcomes: [AMQPError?] = Array(repeating: nil, count: burst.count)
        var count = 0
        for await (index, error) in stream {
            outcomes[index] = error
            count += 1
            if count == burst.count { break }
        }
        return outcomes
    }
}
