@testable import AMQP

/// A broker with one queue per subscriber, and one beside each for what it gives up on.
///
/// Its steps are the scheduler's: a message is stored, confirmed, delivered, its ack applied - or the connection is lost in
/// between.
///
/// Unchecked: one thread.
final class SimulatedBroker: @unchecked Sendable {
    /// A message in a queue.
    struct Stored {
        var number: Int
        var routingKey: String
        var message: Message
        var returns = 0
    }

    let scheduler: Scheduler
    /// Which queues an event type goes to.
    let bindings: [String: [String]]
    /// How often a message may come back before the broker gives up on it.
    let deliveryLimit: Int
    /// Whether publishes may be refused, returned and doubled.
    var hasFaults = true
    var isBlocked = false {
        didSet { for publisher in publishers { publisher.blockedChanged() } }
    }
    /// What it gave up on while the service ran: queue and event id.
    private(set) var gaveUpLate: Set<String> = []
    /// How often each event was published, by its id.
    private(set) var published: [String: Int] = [:]
    /// How often a queue got an event twice by one publish, by its id.
    private(set) var doubled: [String: Int] = [:]
    /// How often a consumer of each queue has connected.
    var connectionCounts: [String: Int] = [:]
    /// Dead letters between two queues.
    private(set) var onTheirWay = 0
    private(set) var queues: [String: [Stored]] = [:]
    private var nextNumber = 1
    var publishers: [SimulatedPublisher] = []
    var consumers: [SimulatedConsumer] = []

    init(scheduler: Scheduler, bindings: [String: [String]], deliveryLimit: Int) {
        self.scheduler = scheduler
        self.bindings = bindings
        self.deliveryLimit = deliveryLimit
    }

    /// Stores a publication in the queues that it is routed to, or refuses it.
    func take(_ publication: Publication) -> AMQPError? {
        if hasFaults, scheduler.random.once(in: 25) {
            return AMQPError(code: .nacked, reason: "the broker refused the message")
        }
        let isLost = hasFaults && publication.mandatory && scheduler.random.once(in: 25)
        let targets = isLost ? [] : bindings[publication.routingKey] ?? []
        scheduler.tell(
            "the broker takes \(publication.message.properties.messageID ?? "?") for \(targets.joined(separator: ", "))"
        )
        if targets.isEmpty, publication.mandatory { return AMQPError(code: .returned, reason: "312 NO_ROUTE") }
        let id = publication.message.properties.messageID ?? ""
        published[id, default: 0] += 1
        for queue in targets {
            let copies = hasFaults && scheduler.random.once(in: 20) ? 2 : 1
            doubled[id, default: 0] += copies - 1
            for _ in 0..<copies {
                queues[queue, default: []].append(
                    Stored(number: nextNumber, routingKey: publication.routingKey, message: publication.message)
                )
                scheduler.note(3, nextNumber)
                nextNumber += 1
            }
        }
        return nil
    }

    /// Hands out the first messages of a queue.
    func deliver(from queue: String, atMost limit: Int) -> [Stored] {
        let count = min(limit, queues[queue]?.count ?? 0)
        guard count > 0, let messages = queues[queue]?.prefix(count) else { return [] }
        queues[queue]?.removeFirst(count)
        return Array(messages)
    }

    /// Takes messages back that were not acknowledged, to the head of their queue, in their order.
    func takeBack(_ messages: [Stored], to queue: String) {
        var returned: [Stored] = []
        for var message in messages {
            message.returns += 1
            if message.returns > deliveryLimit, !queue.hasSuffix(".dead-letters") {
                message.returns = 0
                message.message.properties.headers = [
                    "x-death": .array([.table(["reason": .string("delivery_limit")])])
                ]
                deadLetter(message, of: queue)
            } else {
                returned.append(message)
            }
        }
        queues[queue] = returned + (queues[queue] ?? [])
    }

    /// Moves a message to its dead-letter queue, as a quorum queue does: by and by, since the other queue has to confirm it.
    private func deadLetter(_ message: Stored, of queue: String) {
        onTheirWay += 1
        let longest = deliveryLimit == 0 ? 8000 : scheduler.random.once(in: 3) ? 2000 : 20
        let net = "\(queue).dead-letters"
        let connections = connectionCounts[net, default: 0]
        scheduler.after(milliseconds: scheduler.random.below(longest)) { [self] in
            onTheirWay -= 1
            queues[net, default: []].append(message)
            // A service that starts after that finds it before anything else.
            let isAwake = consumers.contains { $0.queue == net && $0.hasConnected }
            if isAwake || connectionCounts[net, default: 0] > connections {
                gaveUpLate.insert("\(queue) \(message.message.properties.messageID ?? "")")
            }
        }
    }

    func hasMessages(_ queue: String) -> Bool { queues[queue]?.isEmpty == false }
}
