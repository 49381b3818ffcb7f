import AMQP
import AMQPInMemory
import CRabbitMQ
import Foundation
import Telemetry
import TestSupport
import Testing

@testable import AMQP

let environment = ProcessInfo.processInfo.environment

/// The client on a real broker.
struct RabbitMQDriver: Driver {
    private let configuration: ConnectionConfiguration

    init(_ url: String, usesLibraryTransport: Bool) throws {
        var configuration = try ConnectionConfiguration(urls: [url], name: "conformance")
        configuration.backoff = .milliseconds(10) ... .milliseconds(200)
        configuration.usesLibraryTransport = usesLibraryTransport
        // A busy machine may take its time to connect, and for the last acks.
        configuration.timeout = .seconds(30)
        configuration.closingTimeout = .seconds(30)
        self.configuration = configuration
    }

    func publisher(_ topology: BrokerTopology) throws -> any PublishingClient {
        Publisher(configuration, topology: topology, logger: .silent)
    }

    func consumer(
        _ queue: String,
        prefetch: Int,
        _ topology: BrokerTopology,
        _ arguments: FieldTable
    ) throws -> any ConsumingClient {
        Consumer(
            configuration,
            queue: queue,
            prefetch: prefetch,
            topology: topology,
            arguments: arguments,
            logger: .silent
        )
    }

    func declare(_ topology: BrokerTopology) async throws {
        try await withSession { session throws(AMQPError) in try session.declare(topology) }
    }

    func deleteQueue(_ name: String) async throws {
        try await withSession { session throws(AMQPError) in
            try session.call("deleting queue '\(name)'") {
                _ = amqp_queue_delete(session.connection, Session.channel, session.arena.bytes(name), 0, 0)
            }
        }
    }

    func pass(milliseconds: Int64) {}

    /// A connection of its own, on a thread of its own.
    private func withSession(_ body: @escaping @Sendable (Session) throws(AMQPError) -> Void) async throws {
        let configuration = configuration
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread {
                let result = Result {
                    let session = try Session(configuration.endpoints[0], configuration, CallGuard())
                    try body(session)
                    session.close(within: .seconds(30))
                }
                continuation.resume(with: result)
            }
        }
    }
}

extension InMemoryPublisher: PublishingClient {}
extension InMemoryConsumer: ConsumingClient {}

/// The in-memory broker with its clients.
struct InMemoryDriver: Driver {
    private let network: InMemoryNetwork

    init(hasDefaultDeliveryLimit: Bool) {
        var options = InMemoryBroker.Options()
        if !hasDefaultDeliveryLimit { options.defaultDeliveryLimit = nil }
        network = InMemoryNetwork(.automatic, options)
    }

    func publisher(_ topology: BrokerTopology) throws -> any PublishingClient {
        network.makePublisher(topology: topology)
    }

    func consumer(
        _ queue: String,
        prefetch: Int,
        _ topology: BrokerTopology,
        _ arguments: FieldTable
    ) throws -> any ConsumingClient {
        network.makeConsumer(queue: queue, prefetch: prefetch, topology: topology, arguments: arguments)
    }

    func declare(_ topology: BrokerTopology) async throws {
        try network.withBroker { broker in
            let id = try broker.connect()
            try broker.declare(topology, on: id)
            broker.disconnect(id)
        }
    }

    func deleteQueue(_ name: String) async throws {
        _ = network.withBroker { $0.deleteQueue(name) }
    }

    func pass(milliseconds: Int64) {
        network.withBroker { $0.advance(to: $0.now + milliseconds) }
    }
}
