internal import AMQP

/// What the forwarder needs of a broker.
protocol EventSink: Sendable {
    var state: ConnectionState { get }
    var states: AsyncStream<ConnectionState> { get }
    func run() async
    func publish(_ publication: Publication) async throws
    func submit(
        _ burst: [Publication],
        outcome: @escaping @Sendable (_ index: Int, _ error: AMQPError?) -> Void
    )
}

/// What the inbox needs of a broker.
protocol EventSource: Sendable {
    var state: ConnectionState { get }
    var states: AsyncStream<ConnectionState> { get }
    var bursts: AsyncStream<[IncomingMessage]> { get }
    func run() async
    func stopConsuming()
    func ack(_ tag: IncomingMessage.Tag)
}

extension Publisher: EventSink {}
extension Consumer: EventSource {}
