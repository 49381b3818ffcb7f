import Foundation
import Synchronization
import Telemetry
import Testing

@testable import AMQP

@Suite(
    "A silent peer never holds a link for ever",
    .enabled(if: TestBroker.url != nil, TestBroker.missing),
    .timeLimit(.minutes(5))
)
struct HangTests {
    private let proxy: TestProxy
    private let name = TestBroker.uniqueName()

    init() throws {
        proxy = try TestProxy(to: TestBroker.port)
    }

    private func configuration(
        _ change: (inout ConnectionConfiguration) -> Void = { _ in }
    ) throws -> ConnectionConfiguration {
        var configuration = try TestBroker.configuration(port: proxy.port)
        configuration.timeout = .seconds(1)
        configuration.closingTimeout = .seconds(1)
        change(&configuration)
        return configuration
    }

    private func publisher(_ configuration: ConnectionConfiguration) -> Publisher {
        Publisher(configuration, topology: TestBroker.topology(TestBroker.queue(name)), logger: testLogger)
    }

    private func large() -> Publication {
        // More than the socket buffers of both sides hold.
        Publication(exchange: "", routingKey: name, message: Message(body: [UInt8](repeating: 7, count: 64 << 20)))
    }

    @Test("Silence before the handshake, and within it, fails the attempt in time", arguments: [0, 5, 100, 600])
    func handshake(bytes: Int) async throws {
        proxy.freeze(afterBytesToClient: bytes)
        let publisher = publisher(try configuration())
        try await running([publisher]) {
            let states = publisher.states
            try await reached(states, "connecting") { $0 == .connecting }
            try await reached(states, "failed", within: .seconds(60)) { if case .closed = $0 { true } else { false } }
            proxy.thaw()
            try await reached(states, "ready") { $0 == .ready }
        }
    }

    @Test("Silence of an idle connection is noticed by the heartbeats")
    func heartbeat() async throws {
        let publisher = publisher(try configuration { $0.heartbeat = 1 })
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            let states = publisher.states
            proxy.freeze()
            let state = try await reached(states, "closed") {
                if case .closed = $0 { true } else { false }
            }
            // Both ends miss heartbeats at about the same time; where the broker is quicker, the proxy passes its end on.
            let cause = "\(state)".lowercased()
            #expect(cause.contains("heartbeat") || cause.contains("closed unexpectedly"))
        }
    }

    @Test("An idle connection with heartbeats stays, however long nothing happens")
    func idle() async throws {
        let publisher = publisher(try configuration { $0.heartbeat = 3 })
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            let states = publisher.states
            // The broker drops a silent client after two heartbeats; one that a busy machine delays by a moment, it does not.
            await #expect(throws: TimedOut.self) {
                try await reached(states, "closed", within: .seconds(16)) { $0 != .ready }
            }
        }
    }

    @Test(
        "A publish that hangs, without heartbeats, is ended: by the transport, or in the library by the watchdog",
        arguments: [false, true]
    )
    func hangingPublish(usesLibraryTransport: Bool) async throws {
        let publisher = publisher(
            try configuration {
                $0.heartbeat = 0
                $0.usesLibraryTransport = usesLibraryTransport
            }
        )
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            proxy.freeze()
            let earlier = publisher.statistics.hungCalls
            let began = ContinuousClock.now
            await #expect { try await publisher.publish(large()) } throws: {
                ($0 as? AMQPError)?.code == .connectionLost && ($0 as? AMQPError)?.mayHaveArrived == true
            }
            #expect(began.duration(to: .now) < .seconds(100))
            // More where the attempts at a new connection hang as well by now.
            #expect(!usesLibraryTransport || publisher.statistics.hungCalls > earlier)
        }
    }

    @Test("Cancelled while a publish hangs, `run` ends within the closing timeout")
    func cancelledHang() async throws {
        let publisher = publisher(
            try configuration {
                $0.heartbeat = 0
                $0.timeout = .seconds(600)
            }
        )
        let run = Task { await publisher.run() }
        try await reached(publisher.states, "ready") { $0 == .ready }
        proxy.freeze()
        let (outcome, signal) = AsyncStream.makeStream(of: AMQPError?.self)
        publisher.submit([large()]) { _, error in signal.yield(error) }
        try await eventually("the message is on its way") { publisher.statistics.inFlight == 1 }
        run.cancel()
        try await within(.seconds(100), "the end of run") { await run.value }
        let error = try await within(.seconds(60), "the outcome") { await outcome.first { _ in true } }
        #expect(error??.code == .connectionLost)
    }

    @Test("Cancelled with a silent peer, a consumer ends within the closing timeout")
    func cancelledConsumer() async throws {
        let consumer = Consumer(
            try configuration { $0.heartbeat = 0 },
            queue: name,
            topology: TestBroker.topology(TestBroker.queue(name)),
            logger: testLogger
        )
        let run = Task { await consumer.run() }
        try await reached(consumer.states, "ready") { $0 == .ready }
        proxy.freeze()
        run.cancel()
        try await within(.seconds(100), "the end of run") { await run.value }
    }

    @Test("A peer that falls silent in the middle of a message does not hold the thread")
    func midMessage() async throws {
        _ = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(
            try TestBroker.configuration(),
            topology: TestBroker.topology(TestBroker.queue(name)),
            logger: testLogger
        )
        let consumer = Consumer(
            try configuration { $0.heartbeat = 1 },
            queue: name,
            topology: TestBroker.topology(TestBroker.queue(name)),
            logger: testLogger
        )
        try await running([publisher], [consumer]) {
            try await reached(consumer.states, "ready") { $0 == .ready }
            let states = consumer.states
            proxy.freeze(afterBytesToClient: 50_000)
            var message = Message("", id: "big")
            message.body = [UInt8](repeating: 1, count: 200_000)
            try await publisher.publish(Publication(exchange: "", routingKey: name, message: message))
            try await reached(states, "closed", within: .seconds(60)) { if case .closed = $0 { true } else { false } }
            proxy.thaw()
            let received = try #require(try await collect(1, from: consumer).first)
            #expect(received.message.body.count == 200_000 && received.redelivered)
            consumer.ack(received.tag)
        }
    }
}
