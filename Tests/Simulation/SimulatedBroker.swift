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

    /// How the broker deals with a publication.
    enum Answer {
        case confirmed
        case refused(AMQPError)
        /// It is not durable everywhere yet, and is confirmed when it is.
        case withheld(Withheld)
        /// The channel is closed, and with it everything on it is unknown.
        case closesChannel(AMQPError)
    }

    /// A publication that some queue cannot make durable.
    ///
    /// Unchecked: one thread.
    final class Withheld: @unchecked Sendable {
        fileprivate var copies: [(queue: String, stored: Stored)]
        /// Tells the publisher; nil when its connection is gone.
        var confirm: (() -> Void)?

        fileprivate init(_ copies: [(queue: String, stored: Stored)]) { self.copies = copies }
    }

    let scheduler: Scheduler
    /// Which queues an event type goes to.
    private(set) var bindings: [String: [String]]
    /// Types whose bindings somebody has removed, until somebody declares them again.
    var lostBindings: Set<String> = []
    /// Queues without a majority.
    private(set) var stuckQueues: Set<String> = []
    private var withheld: [Withheld] = []
    /// How many bytes the body of an event may have.
    var maximumSize = Int.max
    /// Types that nobody may publish at present.
    var forbiddenTypes: Set<String> = [] {
        didSet { everForbidden.formUnion(forbiddenTypes) }
    }
    /// Types that nobody was allowed to publish at some time.
    private(set) var everForbidden: Set<String> = []
    /// How often an event was not taken - refused, given back, the channel closed over it, or not confirmed - by its id.
    private(set) var refusals: [String: Int] = [:]
    /// How often the channel was closed over an event, by its id.
    private(set) var closures: [String: Int] = [:]
    /// What it gave up on, whenever: queue and event id.
    private(set) var gaveUp: Set<String> = []
    /// How often a message of a stranger came back, by its number.
    private(set) var returnsOfStrangers: [Int: Int] = [:]
    /// The queue that has taken the place of another one.
    private var successors: [String: String] = [:]
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
    func take(_ publication: Publication) -> Answer {
        let id = publication.message.properties.messageID ?? ""
        if let error = refusal(of: publication) {
            refusals[id, default: 0] += 1
            closures[id, default: 0] += 1
            scheduler.note(19)
            scheduler.tell("the broker closes the channel over \(id): \(error)")
            return .closesChannel(error)
        }
        if hasFaults, scheduler.random.once(in: 25) {
            refusals[id, default: 0] += 1
            return .refused(AMQPError(code: .nacked, reason: "the broker refused the message"))
        }
        let isLost = hasFaults && publication.mandatory && scheduler.random.once(in: 25)
        let isUnbound = isLost || lostBindings.contains(publication.routingKey)
        let targets = isUnbound ? [] : bindings[publication.routingKey] ?? []
        scheduler.tell("the broker takes \(id) for \(targets.joined(separator: ", "))")
        if targets.isEmpty, publication.mandatory {
            refusals[id, default: 0] += 1
            return .refused(AMQPError(code: .returned, reason: "312 NO_ROUTE"))
        }
        var copiesToCome: [(queue: String, stored: Stored)] = []
        published[id, default: 0] += 1
        for queue in targets {
            let copies = hasFaults && scheduler.random.once(in: 20) ? 2 : 1
            doubled[id, default: 0] += copies - 1
            for _ in 0..<copies {
                let stored = Stored(
                    number: nextNumber,
                    routingKey: publication.routingKey,
                    message: publication.message
                )
                if stuckQueues.contains(queue) {
                    copiesToCome.append((queue, stored))
                } else {
                    queues[queue, default: []].append(stored)
                }
                scheduler.note(3, nextNumber)
                nextNumber += 1
            }
        }
        guard !copiesToCome.isEmpty else { return .confirmed }
        // Its service may run out of patience, and that is then its own affair.
        refusals[id, default: 0] += 1
        let later = Withheld(copiesToCome)
        withheld.append(later)
        scheduler.tell("the broker cannot confirm \(id)")
        return .withheld(later)
    }

    /// What the broker closes the channel over (AMQP 0-9-1, `channel.close`), as the client tells it.
    private func refusal(of publication: Publication) -> AMQPError? {
        let type = publication.routingKey
        if forbiddenTypes.contains(type) {
            return AMQPError(
                code: .accessRefused,
                reason:
                    "403 ACCESS_REFUSED - access to topic '\(type)' in exchange 'warren.events' in vhost '/' refused",
                channelClose: 403
            )
        }
        let size = publication.message.body.count
        if size > maximumSize {
            return AMQPError(
                code: .preconditionFailed,
                reason:
                    "406 PRECONDITION_FAILED - message size \(size) is larger than configured max size \(maximumSize)",
                channelClose: 406
            )
        }
        return nil
    }

    // MARK: Queues

    /// A queue loses its majority.
    func lose(_ queue: String) {
        scheduler.note(20)
        scheduler.tell("\(queue) has no majority")
        stuckQueues.insert(queue)
    }

    /// A queue has its majority back: it has what it was sent meanwhile, but perhaps not what nobody waits for.
    func heal(_ queue: String) {
        guard stuckQueues.remove(queue) != nil else { return }
        scheduler.note(21)
        scheduler.tell("\(queue) has its majority back")
        for entry in withheld {
            let isKept = entry.confirm != nil || scheduler.random.once(in: 2)
            for copy in entry.copies where copy.queue == queue && isKept {
                queues[queue, default: []].append(copy.stored)
            }
            entry.copies.removeAll { $0.queue == queue }
            if entry.copies.isEmpty { entry.confirm?() }
        }
        withheld.removeAll { $0.copies.isEmpty }
    }

    /// A queue gets another name, with what is in it, as somebody does who renames its service.
    func rename(_ old: String, to new: String) {
        successors[old] = new
        for (type, targets) in bindings { bindings[type] = targets.map { $0 == old ? new : $0 } }
        for suffix in ["", ".dead-letters"] {
            queues[new + suffix, default: []] += queues.removeValue(forKey: old + suffix) ?? []
            connectionCounts[new + suffix, default: 0] += connectionCounts[old + suffix, default: 0]
        }
        if stuckQueues.remove(old) != nil { stuckQueues.insert(new) }
        for entry in withheld {
            entry.copies = entry.copies.map { ($0.queue == old ? new : $0.queue, $0.stored) }
        }
    }

    /// Somebody else puts messages into a queue that are no events: the same bytes, without an identity.
    func publish(strangers numbers: Range<Int>, to queue: String) {
        for number in numbers {
            var properties = MessageProperties()
            properties.headers = ["stranger": .int64(Int64(number))]
            let message = Message(body: Array("{\"order\": 1}".utf8), properties: properties)
            queues[queue, default: []].append(Stored(number: nextNumber, routingKey: "foreign", message: message))
            scheduler.note(3, nextNumber)
            nextNumber += 1
        }
    }

    /// Somebody has declared the topology.
    func declare() {
        if !lostBindings.isEmpty { scheduler.tell("the bindings are declared again") }
        lostBindings = []
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
            if let number = message.stranger { returnsOfStrangers[number, default: 0] += 1 }
            if message.returns > deliveryLimit, !queue.hasSuffix(".dead-letters") {
                message.returns = 0
                var headers = message.message.properties.headers ?? FieldTable()
                headers["x-death"] = .array([.table(["reason": .string("delivery_limit")])])
                message.message.properties.headers = headers
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
        gaveUp.insert("\(queue) \(message.message.properties.messageID ?? "")")
        let longest = deliveryLimit == 0 ? 8000 : scheduler.random.once(in: 3) ? 2000 : 20
        let connections = connectionCounts["\(queue).dead-letters", default: 0]
        scheduler.after(milliseconds: scheduler.random.below(longest)) { [self] in
            onTheirWay -= 1
            let queue = successors[queue] ?? queue
            let net = "\(queue).dead-letters"
            queues[net, default: []].append(message)
            // A service that starts after that finds it before anything else.
            let isAwake = consumers.contains { $0.queue == net && $0.hasConnected }
            if isAwake || connectionCounts[net, default: 0] > connections {
                gaveUpLate.insert("\(queue) \(message.message.properties.messageID ?? "")")
            }
        }
    }

    func hasMessages(_ queue: String) -> Bool { queues[queue]?.isEmpty == false && !stuckQueues.contains(queue) }
}

extension SimulatedBroker.Stored {
    /// The number of a stranger's message.
    var stranger: Int? {
        guard case .int64(let number)? = message.properties.headers?["stranger"] else { return nil }
        return Int(number)
    }
}
