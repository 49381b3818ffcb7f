import Foundation
import Telemetry
import Testing

@testable import AMQP

/// The broker's TLS listener, as an `amqps` URI with `cacertfile`; its certificate is for the name in it.
private let secureURL = ProcessInfo.processInfo.environment["WARREN_TEST_AMQPS_URL"]

@Suite("TLS", .enabled(if: secureURL != nil, "WARREN_TEST_AMQPS_URL names no broker"), .timeLimit(.minutes(5)))
struct SecurityTests {
    private func configuration(_ change: (inout URLComponents) -> Void = { _ in }) throws -> ConnectionConfiguration {
        var components = try #require(URLComponents(string: secureURL ?? ""))
        change(&components)
        var configuration = try ConnectionConfiguration(urls: [try #require(components.string)], name: "secure")
        configuration.backoff = .milliseconds(10) ... .milliseconds(100)
        return configuration
    }

    /// Why the first attempt fails.
    private func failure(_ change: (inout URLComponents) -> Void) async throws -> AMQPError {
        let publisher = Publisher(try configuration(change), logger: testLogger)
        return try await running([publisher]) {
            try await reached(publisher.states, "closed") {
                if case .closed(let cause) = $0 { cause != "not started" } else { false }
            }
            return try #require(publisher.lastFailure)
        }
    }

    @Test("Messages go both ways, in bursts and with large bodies")
    func roundTrip() async throws {
        let name = TestBroker.uniqueName()
        var topology = BrokerTopology()
        topology.queues = [TestBroker.queue(name)]
        let publisher = Publisher(try configuration(), topology: topology, logger: testLogger)
        try await running([publisher]) {
            let sizes = Array(repeating: 512, count: 2_000) + [900_000, 0, 1]
            let burst = sizes.map { size in
                Publication(exchange: "", routingKey: name, message: Message(body: [UInt8](repeating: 5, count: size)))
            }
            #expect(try await outcomes(of: burst, by: publisher).allSatisfy { $0 == nil })
            let consumer = Consumer(try configuration(), queue: name, logger: testLogger)
            try await running([], [consumer]) {
                let messages = try await collect(sizes.count, from: consumer) { consumer.ack($0.map(\.tag)) }
                #expect(messages.map(\.message.body.count) == sizes)
            }
        }
    }

    @Test("A broker whose certificate comes from an unknown authority is refused")
    func unknownAuthority() async throws {
        let failure = try await failure { $0.queryItems = nil }
        #expect(failure.code == .connectionFailed)
    }

    @Test("A broker with a certificate for another name is refused")
    func otherName() async throws {
        let failure = try await failure { $0.host = "127.0.0.1" }
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.lowercased().contains("hostname"))
    }

    @Test("Without verification the same broker is taken, because the URI says so")
    func unverified() async throws {
        let publisher = Publisher(
            try configuration {
                $0.host = "127.0.0.1"
                $0.queryItems = [URLQueryItem(name: "verify", value: "verify_none")]
            },
            logger: testLogger
        )
        try await running([publisher]) { try await reached(publisher.states, "ready") { $0 == .ready } }
    }

    @Test("A file of authorities that is missing is named")
    func missingAuthorities() async throws {
        let failure = try await failure {
            $0.queryItems = [URLQueryItem(name: "cacertfile", value: "/nowhere/ca.pem")]
        }
        #expect(failure.reason.contains("/nowhere/ca.pem"))
    }

    @Test("A plain URI on the TLS port, and TLS on the plain port, fail in time and say so")
    func mixedUp() async throws {
        let failure = try await failure {
            $0.scheme = "amqp"
            $0.queryItems = nil
        }
        #expect(failure.code == .connectionFailed)
        guard TestBroker.url != nil else { return }
        let port = try TestBroker.port
        #expect(try await self.failure { $0.port = port }.code == .connectionFailed)
    }
}
