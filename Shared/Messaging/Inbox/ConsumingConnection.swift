package import AMQP

/// What the inbox needs of a broker.
package protocol ConsumingConnection: Sendable {
    var state: ConnectionState { get }
    var states: AsyncStream<ConnectionState> { get }
    var bursts: AsyncStream<[IncomingMessage]> { get }
    /// How many messages lay in the queue when the present connection began: those with a tag up to this number.
    var readyMessages: Int { get }
    func run() async
    func stopConsuming()
    func ack(_ tag: IncomingMessage.Tag)
    func ack(_ tags: [IncomingMessage.Tag])
}

extension Consumer: ConsumingConnection {}

extension ConsumingConnection {
    /// Returns when a connection is there, with the topology declared (or when the task is cancelled).
    func untilReady() async {
        for await state in states where state == .ready { return }
    }
}
