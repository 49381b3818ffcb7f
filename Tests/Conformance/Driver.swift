import AMQP
import Testing

/// What the scenarios use of a publisher: the real one and the in-memory one have the same interface.
protocol PublishingClient: Sendable {
    var state: ConnectionState { get }
    var states: AsyncStream<ConnectionState> { get }
    var lastFailure: AMQPError? { get }
    var statistics: Statistics { get }
    func run() async
    func publish(_ publication: Publication) async throws
    func submit(_ burst: [Publication], outcome: @escaping @Sendable (_ index: Int, _ error: AMQPError?) -> Void)
    func declareTopology() async throws
}

/// What the scenarios use of a consumer.
protocol ConsumingClient: Sendable {
    var state: ConnectionState { get }
    var states: AsyncStream<ConnectionState> { get }
    var lastFailure: AMQPError? { get }
    var statistics: Statistics { get }
    var bursts: AsyncStream<[IncomingMessage]> { get }
    func run() async
    func stopConsuming()
    func ack(_ tag: IncomingMessage.Tag)
    func ack(_ tags: [IncomingMessage.Tag])
    func reject(_ tag: IncomingMessage.Tag, requeue: Bool)
}

extension Publisher: PublishingClient {}
extension Consumer: ConsumingClient {}

/// A broker with the clients that go with it.
protocol Driver: Sendable {
    func publisher(_ topology: BrokerTopology) throws -> any PublishingClient
    func consumer(
        _ queue: String,
        prefetch: Int,
        _ topology: BrokerTopology,
        _ arguments: FieldTable
    ) throws -> any ConsumingClient
    /// Declares over a connection of its own.
    func declare(_ topology: BrokerTopology) async throws
    /// Deletes a queue as an operator would.
    func deleteQueue(_ name: String) async throws
    /// So many milliseconds pass, where nobody else sees to that.
    func pass(milliseconds: Int64)
}

/// The brokers that all scenarios run against.
enum Broker: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case inMemoryLike3 = "in memory, like RabbitMQ 3.10"
    case inMemoryLike4 = "in memory, like RabbitMQ 4"
    case rabbitMQ3 = "RabbitMQ 3.10"
    case rabbitMQ3ByLibrary = "RabbitMQ 3.10, by the way of encrypted connections"
    case rabbitMQ4 = "RabbitMQ 4"

    var testDescription: String { rawValue }

    /// Those that are there.
    static var available: [Broker] { allCases.filter { !$0.isReal || $0.url != nil } }

    var isReal: Bool { self == .rabbitMQ3 || self == .rabbitMQ3ByLibrary || self == .rabbitMQ4 }

    /// The URI of a real one.
    var url: String? {
        switch self {
        case .rabbitMQ3, .rabbitMQ3ByLibrary: environment["WARREN_TEST_AMQP_URL"]
        case .rabbitMQ4: environment["WARREN_TEST_AMQP4_URL"]
        case .inMemoryLike3, .inMemoryLike4: nil
        }
    }

    /// Quorum queues that name no `x-delivery-limit`: 3.10 returns a message for ever, 4 gives up after 20 returns.
    var hasDefaultDeliveryLimit: Bool { self == .inMemoryLike4 || self == .rabbitMQ4 }

    var driver: any Driver {
        get throws {
            if let url { return try RabbitMQDriver(url, usesLibraryTransport: self == .rabbitMQ3ByLibrary) }
            return InMemoryDriver(hasDefaultDeliveryLimit: hasDefaultDeliveryLimit)
        }
    }
}
