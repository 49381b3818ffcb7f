import Foundation
import Synchronization
import Telemetry
import Testing

@testable import AMQP

/// Each in a process of its own, whose memory, descriptors and threads are nobody else's.
///
/// `WARREN_TEST_MEMORY=full` runs them at full length: a million messages, 200 bodies of 16 MiB, 10,000 reconnects.
@Suite(
    "Memory, descriptors and threads stay flat",
    .enabled(if: TestBroker.url != nil, TestBroker.missing),
    .serialized,
    .timeLimit(.minutes(30))
)
struct MemoryTests {
    static let isFull = ProcessInfo.processInfo.environment["WARREN_TEST_MEMORY"] == "full"

    @Test("over many small messages, published and consumed")
    func smallMessages() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await MemoryTests.exchange(
                MemoryTests.isFull ? 1_000_000 : 40_000,
                size: 256,
                burst: 1_000,
                mayGrow: 12 << 20
            )
        }
        show(result)
    }

    @Test("over large bodies")
    func largeBodies() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            // One body more or less in flight is no growth; one kept of each message would be ten times this.
            try await MemoryTests.exchange(MemoryTests.isFull ? 200 : 30, size: 16 << 20, burst: 2, mayGrow: 64 << 20)
        }
        show(result)
    }

    @Test("over many connections that broke")
    func reconnects() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await MemoryTests.reconnect(MemoryTests.isFull ? 10_000 : 300)
        }
        show(result)
    }

    /// The figures, for the log.
    private func show(_ result: ExitTest.Result?) {
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }

    /// Publishes and consumes so many messages; after the first fifth nothing may grow.
    static func exchange(_ count: Int, size: Int, burst: Int, mayGrow: Int) async throws {
        let name = TestBroker.uniqueName("memory")
        let topology = try await TestBroker.declared(TestBroker.queue(name, type: "classic"))
        var configuration = try TestBroker.configuration()
        configuration.maximumBodySize = 32 << 20
        let publisher = Publisher(configuration, topology: topology, logger: testLogger)
        let consumer = Consumer(configuration, queue: name, prefetch: 200, topology: topology, logger: testLogger)
        let message = Publication(
            exchange: "",
            routingKey: name,
            message: Message(body: [UInt8](repeating: 7, count: size))
        )
        try await running([publisher], [consumer]) {
            var bursts = consumer.bursts.makeAsyncIterator()
            var usage = Usage.now
            var done = 0
            while done < count {
                let outcomes = try await outcomes(of: Array(repeating: message, count: burst), by: publisher)
                try #require(outcomes.allSatisfy { $0 == nil })
                var received = 0
                while received < burst, let messages = await bursts.next() {
                    try #require(messages.allSatisfy { $0.message.body.count == size })
                    received += messages.count
                    consumer.ack(messages.map(\.tag))
                }
                done += burst
                if done <= count / 5 { usage = .now }
            }
            try Usage.now.check(against: usage, mayGrow: mayGrow, what: "\(count) messages of \(size) bytes")
        }
    }

    /// Breaks the connections of a publisher and a consumer until they have reconnected so many times.
    static func reconnect(_ count: Int) async throws {
        let name = TestBroker.uniqueName("memory")
        let topology = try await TestBroker.declared(TestBroker.queue(name, type: "classic"))
        let proxy = try TestProxy(to: TestBroker.port)
        var configuration = try TestBroker.configuration(port: proxy.port)
        configuration.backoff = .milliseconds(1) ... .milliseconds(5)
        let publisher = Publisher(configuration, topology: topology, logger: testLogger)
        let consumer = Consumer(configuration, queue: name, topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            var before = Usage.now
            var done = 0
            try await reached(publisher.states, "the publisher is ready") { $0 == .ready }
            try await reached(consumer.states, "the consumer is ready") { $0 == .ready }
            while done < count {
                let earlier = (publisher.statistics.connections, consumer.statistics.connections)
                proxy.cut()
                try await eventually("both are connected again", within: .seconds(120)) {
                    publisher.statistics.connections > earlier.0 && consumer.statistics.connections > earlier.1
                }
                done = publisher.statistics.reconnects + consumer.statistics.reconnects
                if done <= count / 5 { before = .now }
            }
            // The proxy's own threads and sockets of the connections before need a moment to end.
            let earlier = before
            try await eventually("as few descriptors and threads as before") {
                Usage.now.descriptors <= earlier.descriptors + 4 && Usage.now.threads <= earlier.threads + 4
            }
            try Usage.now.check(against: earlier, mayGrow: 12 << 20, what: "\(done) reconnects")
        }
    }
}

/// What the process uses.
private struct Usage {
    var memory = 0
    var threads = 0
    var descriptors = 0

    static var now: Usage {
        var usage = Usage()
        for line in (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?.split(separator: "\n") ?? [] {
            let number = Int(line.filter(\.isNumber)) ?? 0
            if line.hasPrefix("VmRSS:") { usage.memory = number << 10 }
            if line.hasPrefix("Threads:") { usage.threads = number }
        }
        usage.descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0
        return usage
    }

    struct Growth: Error {
        let text: String
    }

    func check(against before: Usage, mayGrow: Int, what: String) throws {
        let text = "\(what): \(before) -> \(self)"
        FileHandle.standardError.write(Data("\(text)\n".utf8))
        guard memory <= before.memory + mayGrow, threads <= before.threads + 4, descriptors <= before.descriptors + 4
        else { throw Growth(text: text) }
    }
}
