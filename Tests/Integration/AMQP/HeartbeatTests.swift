import Foundation
import Glibc
import Telemetry
import TestSupport
import Testing

@testable import AMQP

/// With a peer that closes nothing by itself: what ends a connection here is the client's own doing.
@Suite("Heartbeats", .timeLimit(.minutes(2)))
struct HeartbeatTests {
    private static func configuration(_ broker: FakeBroker, heartbeat: Int) throws -> ConnectionConfiguration {
        var configuration = try ConnectionConfiguration(
            urls: ["amqp://127.0.0.1:\(broker.port)/?heartbeat=\(heartbeat)"],
            name: "heartbeats"
        )
        // Longer than the test: nothing but heartbeats ends the wait.
        configuration.timeout = .seconds(600)
        return configuration
    }

    @Test("A peer that falls silent is given up after two heartbeats, by the client alone")
    func silence() async throws {
        let silent = try FakeBroker(heartbeat: 1)
        let patient = try FakeBroker(heartbeat: 600)
        let publisher = Publisher(try Self.configuration(silent, heartbeat: 1), logger: testLogger)
        let consumer = Consumer(try Self.configuration(silent, heartbeat: 1), queue: "q", logger: testLogger)
        let control = Publisher(try Self.configuration(patient, heartbeat: 600), logger: testLogger)
        try await running([publisher, control], [consumer]) {
            for states in [publisher.states, consumer.states, control.states] {
                try await reached(states, "ready") { $0 == .ready }
            }
            let (publishing, consuming) = (publisher.states, consumer.states)
            patient.fallSilent()
            silent.fallSilent()
            let began = ContinuousClock.now
            for states in [publishing, consuming] {
                let state = try await reached(states, "closed", within: .seconds(60)) {
                    if case .closed = $0 { true } else { false }
                }
                #expect("\(state)".lowercased().contains("heartbeat"), "\(state)")
            }
            // Not before one heartbeat was missed, and long before anything else would have ended it.
            #expect(began.duration(to: .now) > .seconds(1))
            #expect(control.state == .ready)
            #expect(publisher.statistics.hungCalls == 0 && consumer.statistics.hungCalls == 0)
        }
    }

    @Test("A peer that falls silent is given up although its connection is asked for something all the time")
    func silenceAmongCommands() async throws {
        let silent = try FakeBroker(heartbeat: 1)
        let publisher = Publisher(try Self.configuration(silent, heartbeat: 1), logger: testLogger)
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            let states = publisher.states
            silent.fallSilent()
            // The pace is the point: more often than heartbeats are looked at, and each time after the thread went to sleep.
            let asking = Task {
                while !Task.isCancelled {
                    publisher.submit([]) { _, _ in }
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            defer { asking.cancel() }
            let state = try await reached(states, "closed", within: .seconds(30)) {
                if case .closed = $0 { true } else { false }
            }
            #expect("\(state)".lowercased().contains("heartbeat"), "\(state)")
        }
    }

    @Test("An idle connection stays for as long as the peer answers heartbeats")
    func idle() async throws {
        let broker = try FakeBroker(heartbeat: 1)
        let publisher = Publisher(try Self.configuration(broker, heartbeat: 1), logger: testLogger)
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            try await eventually("heartbeats of four seconds", within: .seconds(60)) { broker.heartbeats >= 8 }
            #expect(publisher.state == .ready)
            #expect(publisher.statistics.connections == 1)
        }
    }

    /// In a process of its own, all of whose threads for tasks it blocks.
    @Test("While a handler blocks every thread that Swift has for tasks, heartbeats go out and nothing is lost")
    func slowHandler() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await HeartbeatTests.blockEverything()
        }
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }

    private static func blockEverything() async throws {
        let broker = try FakeBroker(heartbeat: 1)
        let consumer = Consumer(try configuration(broker, heartbeat: 1), queue: "q", logger: testLogger)
        try await running([], [consumer]) {
            try await reached(consumer.states, "ready") { $0 == .ready }
            broker.say(Frames.deliver(tag: 1, queue: "q") + Frames.header(1, bodySize: 0))
            let message = try #require(try await collect(1, from: consumer).first)
            let enough = broker.heartbeats + 8
            await withTaskGroup { group in
                // As many as there are threads, and more.
                for _ in 0..<(ProcessInfo.processInfo.activeProcessorCount * 2 + 2) {
                    group.addTask { while broker.heartbeats < enough { usleep(10_000) } }
                }
            }
            consumer.ack(message.tag)
            try await eventually("the ack is written") { consumer.statistics.settled == 1 }
            try #require(consumer.state == .ready)
            try #require(consumer.statistics.connections == 1)
        }
    }
}
