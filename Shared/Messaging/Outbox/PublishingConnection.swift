package import AMQP
internal import Events

/// What the forwarder needs of a broker.
package protocol PublishingConnection: Sendable {
    var state: ConnectionState { get }
    var states: AsyncStream<ConnectionState> { get }
    func run() async
    func publish(_ publication: Publication) async throws
    func submit(
        _ burst: [Publication],
        outcome: @escaping @Sendable (_ index: Int, _ error: AMQPError?) -> Void
    )
}

extension Publisher: PublishingConnection {}

extension PublishingConnection {
    /// Publishes an event from the table of deliveries.
    ///
    /// A connection that is away costs no attempt. It is marked as a repeat: most of what lies in the table has been published
    /// before, by this process or another.
    ///
    /// - Parameter subscribedTypes: the types that must reach a queue.
    func publishOrDefer(_ envelope: Envelope, _ body: [UInt8], subscribedTypes: Set<EventType>) async throws {
        let later = WallClock.milliseconds() + 1000
        guard state == .ready else {
            throw HandlerError.deferred(until: later, "broker.away", "there is no connection to the broker")
        }
        do {
            let isExpected = subscribedTypes.contains(envelope.type)
            try await publish(Publication(envelope, body: body, mandatory: isExpected, isRepeat: true))
        } catch let error as AMQPError {
            switch error.code {
            case .connectionLost, .closed, .connectionFailed, .cancelled, .timeout:
                throw HandlerError.deferred(until: later, "broker.away", error.description)
            default:
                throw HandlerError(refusal: error)
            }
        }
    }
}

extension HandlerError {
    /// The broker's or the client's refusal of a publish.
    init(refusal error: AMQPError) {
        switch error.code {
        case .returned:
            self = .transient("broker.unroutable", "no queue takes events of this type: \(error.reason)")
        case .nacked:
            self = .transient("broker.nacked", "the broker did not take the event: \(error.reason)")
        case .invalidMessage:
            self = .permanent("broker.invalid-message", error.reason)
        default:
            self = .transient("broker.refused", error.description)
        }
    }
}
