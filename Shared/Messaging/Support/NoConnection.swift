internal import AMQP

/// Stands where a runtime does without a connection: it is well from the start, and nothing comes of it.
struct NoConnection: PublishingConnection, ConsumingConnection {
    private static let reason = AMQPError(code: .closed, reason: "this service is set up without that connection")

    var state: ConnectionState { .ready }

    var states: AsyncStream<ConnectionState> {
        AsyncStream { states in
            states.yield(.ready)
            states.finish()
        }
    }

    var bursts: AsyncStream<[IncomingMessage]> { AsyncStream { $0.finish() } }

    var readyMessages: Int { 0 }

    func run() async {}

    func stopConsuming() {}

    func ack(_ tag: IncomingMessage.Tag) {}

    func ack(_ tags: [IncomingMessage.Tag]) {}

    func publish(_ publication: Publication) async throws { throw Self.reason }

    func submit(
        _ burst: [Publication],
        outcome: @escaping @Sendable (_ index: Int, _ error: AMQPError?) -> Void
    ) {
        for index in burst.indices { outcome(index, Self.reason) }
    }
}
