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
    /// Declares the topology again, beside what is published.
    func declareTopology() async throws
}

extension Publisher: PublishingConnection {}

extension PublishingConnection {
    /// A connection that cannot: what came back stays refused.
    func declareTopology() async throws {
        throw AMQPError(code: .closed, reason: "this connection declares nothing")
    }
}

extension AMQPError {
    /// Whether a publish failed because there was no connection, or none any more: no fault of the message.
    var isAway: Bool {
        switch code {
        case .connectionLost, .closed, .connectionFailed, .cancelled, .timeout: true
        default: false
        }
    }
}

extension HandlerError {
    /// The broker's or the client's refusal of a publish.
    ///
    /// What the broker closes the channel over is for the operator at once: each further attempt would cost everybody's connection, and
    /// neither a permission nor a size limit changes within minutes.
    init(refusal error: AMQPError) {
        switch error.code {
        case .returned:
            self = .transient("broker.unroutable", "no queue takes events of this type: \(error.reason)")
        case .nacked:
            self = .transient("broker.nacked", "the broker did not take the event: \(error.reason)")
        case .accessRefused:
            self = .permanent("broker.forbidden", error.reason)
        case .preconditionFailed where error.reason.contains("message size"):
            self = .permanent("broker.too-large", error.reason)
        case .preconditionFailed:
            self = .permanent("broker.closed-channel", error.reason)
        case .invalidMessage:
            self = .permanent("broker.invalid-message", error.reason)
        default:
            self = .transient("broker.refused", error.description)
        }
    }
}
