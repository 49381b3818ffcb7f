import Foundation
import Telemetry
import TestSupport
import Testing

@testable import AMQP

@Suite("Several brokers of a cluster", .timeLimit(.minutes(2)))
struct EndpointChoiceTests {
    private func publisher(_ ports: [UInt16]) throws -> Publisher {
        // The patience of the connecting alone: what is silent is passed by after that.
        let urls = ports.map { "amqp://127.0.0.1:\($0)/?connection_timeout=500" }
        var configuration = try ConnectionConfiguration(urls: urls, name: "cluster")
        configuration.backoff = .milliseconds(1) ... .milliseconds(10)
        return Publisher(configuration, logger: testLogger)
    }

    @Test("One that is down, and one that takes the connection and says nothing, are passed by")
    func firstOnesDead() async throws {
        let down = try FreePort.next()
        let silent = try FakeBroker()
        silent.fallSilent()
        let third = try FakeBroker()
        let publisher = try publisher([down, silent.port, third.port])
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            #expect(silent.accepted == 1 && third.accepted == 1)
            #expect(publisher.lastFailure == nil)
        }
    }

    @Test("One that refuses the login is passed by")
    func refusing() async throws {
        let refusing = try FakeBroker { _, count, usual in
            count == 1
                ? .init([Frames.connectionClose(403, "ACCESS_REFUSED - not here")], isLast: true) : .init([usual])
        }
        let second = try FakeBroker()
        let publisher = try publisher([refusing.port, second.port])
        try await running([publisher]) { try await reached(publisher.states, "ready") { $0 == .ready } }
        #expect(refusing.accepted == 1 && second.accepted == 1)
    }

    @Test("After a loss the preferred one is tried first again, and the causes of all are shown")
    func preference() async throws {
        let preferred = try FakeBroker()
        let other = try FakeBroker()
        let publisher = try publisher([preferred.port, other.port])
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            #expect(preferred.accepted == 1 && other.accepted == 0)
            var states = publisher.states
            preferred.follow { _, _, _ in .init([], isLast: true) }
            preferred.say(Frames.connectionClose(320, "CONNECTION_FORCED - maintenance"))
            try await reached(states, "the loss") {
                if case .closed(let cause) = $0 { cause.contains("maintenance") } else { false }
            }
            try await reached(states, "the attempt at the preferred one") {
                if case .closed(let cause) = $0 { cause.contains("\(preferred.port)") } else { false }
            }
            try await reached(states, "ready") { $0 == .ready }
            #expect(other.accepted == 1)
            preferred.follow { _, _, usual in .init([usual]) }
            states = publisher.states
            other.say(Frames.connectionClose(320, "CONNECTION_FORCED - maintenance"))
            try await reached(states, "closed") { if case .closed = $0 { true } else { false } }
            try await reached(states, "ready") { $0 == .ready }
            #expect(preferred.accepted == 1 && other.accepted == 1)
        }
    }
}
