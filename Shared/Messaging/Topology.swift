internal import AMQP
public import Events

/// Who subscribes to what: one queue per service, bound to the exchange by event type.
///
/// Every service declares (or verifies) the whole topology at start and after each reconnect, so that an event is never
/// lost because its subscriber has not started yet.
public struct Topology: Sendable {
    /// A service and the types that it hears of.
    public struct Subscription: Sendable {
        /// The service and its queue.
        public let subscriber: String
        /// The types that its queue is bound to.
        public let types: [EventType]

        /// Makes a subscription.
        public init(_ subscriber: String, to types: [EventType]) {
            self.subscriber = subscriber
            self.types = types
        }
    }

    /// The topic exchange that all events are published to.
    public static let exchange = "warren.events"
    /// The direct exchange for what the broker itself gives up on.
    public static let deadLetterExchange = "warren.dead-letters"

    /// One per subscriber.
    public let subscriptions: [Subscription]

    /// Makes a topology.
    public init(_ subscriptions: [Subscription]) {
        self.subscriptions = subscriptions
    }

    /// The types that somebody subscribes to.
    public var subscribedTypes: Set<EventType> {
        Set(subscriptions.flatMap(\.types))
    }

    /// The queue for what the broker gave up on: delivery limit, reject.
    ///
    /// A net; the usual way is the dead-letter table.
    public static func deadLetterQueue(of subscriber: String) -> String {
        "\(subscriber).dead-letters"
    }

    /// The topology in the broker's terms.
    func declarations(
        queueType: MessagingConfiguration.QueueType,
        mode: MessagingConfiguration.TopologyMode
    ) -> BrokerTopology {
        var topology = BrokerTopology()
        topology.passive = mode == .verify
        topology.mendOfOtherArguments =
            "with the services stopped, `warren queues migrate` puts a queue with the right arguments in its place and moves "
            + "its messages"
        topology.exchanges = [
            .init(name: Topology.exchange, type: "topic"),
            .init(name: Topology.deadLetterExchange, type: "direct"),
        ]
        for subscription in subscriptions {
            let queue = subscription.subscriber
            let net = Topology.deadLetterQueue(of: queue)
            topology.queues.append(.init(name: net, arguments: ["x-queue-type": .string(queueType.rawValue)]))
            topology.bindings.append(.init(queue: net, exchange: Topology.deadLetterExchange, routingKey: queue))
            var arguments: FieldTable = [
                "x-queue-type": .string(queueType.rawValue),
                "x-dead-letter-exchange": .string(Topology.deadLetterExchange),
                "x-dead-letter-routing-key": .string(queue),
                "x-overflow": .string("reject-publish"),
                // A second instance waits until the first is gone: side by side they could not keep a subject's order.
                "x-single-active-consumer": .boolean(true),
            ]
            if queueType == .quorum {
                // Only quorum queues count deliveries and dead-letter with confirms.
                arguments["x-delivery-limit"] = .int32(20)
                arguments["x-dead-letter-strategy"] = .string("at-least-once")
                // From 4.3 on a quorum queue waits so many milliseconds for a consumer whose node is gone, a minute unless
                // this says less; older brokers keep the argument and ignore it. A classic queue of 4.3 refuses it.
                arguments["x-consumer-disconnected-timeout"] = .int32(2_000)
            }
            topology.queues.append(.init(name: queue, arguments: arguments))
            for type in subscription.types {
                topology.bindings.append(
                    .init(queue: queue, exchange: Topology.exchange, routingKey: type.rawValue)
                )
            }
        }
        return topology
    }
}
