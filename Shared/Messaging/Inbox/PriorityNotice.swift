internal import AMQP
import Synchronization
internal import Telemetry

/// Says when messages come with a priority: on quorum queues of RabbitMQ 4 one overtakes others of its subject, which nobody
/// else can see.
///
/// All are counted; a line is written for the first one and at most once a minute after it.
final class PriorityNotice: Sendable {
    private static let pause = Duration.seconds(60)

    private let counters: CounterBox
    private let logger: Logger
    private let nextLine = Mutex(ContinuousClock.now)

    init(counters: CounterBox, logger: Logger) {
        self.counters = counters
        self.logger = logger
    }

    /// Looks at what has come.
    func look(at burst: [IncomingMessage]) {
        var count = 0
        var last: IncomingMessage?
        for message in burst where message.message.properties.priority ?? 0 > 0 {
            count += 1
            last = message
        }
        guard let last else { return }
        counters.add(count, to: \.prioritised)
        let now = ContinuousClock.now
        let isDue = nextLine.withLock { next in
            guard next <= now else { return false }
            next = now + Self.pause
            return true
        }
        guard isDue else { return }
        logger.warning(
            "a message came with a priority, by which it may have overtaken others of its subject; its sender should set none",
            [
                LogField("messaging.priority", Int(last.message.properties.priority ?? 0)),
                LogField("messaging.message.id", last.message.properties.messageID ?? ""),
                LogField("messaging.event.type", last.message.properties.type ?? last.routingKey),
                LogField("messaging.app_id", last.message.properties.appID ?? ""),
            ]
        )
    }
}
