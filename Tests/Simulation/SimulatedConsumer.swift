@testable import AMQP
@testable import Messaging

/// A consuming connection of a simulated process.
///
/// Unchecked: one thread.
final class SimulatedConsumer: SimulatedConnection, ConsumingConnection, @unchecked Sendable {
    let queue: String
    let prefetch: Int
    let bursts: AsyncStream<[IncomingMessage]>
    private let mailbox: AsyncStream<[IncomingMessage]>.Continuation
    private var connection: UInt64 = 0
    private var nextTag: UInt64 = 1
    private var unacknowledged: [(tag: UInt64, message: SimulatedBroker.Stored)] = []
    private var acks: [IncomingMessage.Tag] = []
    private var isStopped = false
    private(set) var readyMessages = 0
    /// Called when the service says that it has a message.
    var onAck: (Message) -> Void = { _ in }
    /// All that was handed out, by tag.
    private var handedOut: [IncomingMessage.Tag: Message] = [:]

    init(broker: SimulatedBroker, process: Int, queue: String, prefetch: Int) {
        self.queue = queue
        self.prefetch = prefetch
        (bursts, mailbox) = AsyncStream.makeStream()
        super.init(broker: broker, process: process)
    }

    var hasConnected: Bool { connection > 0 }
    var isIdle: Bool { unacknowledged.isEmpty }
    var unacknowledgedIDs: [String] { unacknowledged.map { $0.message.message.properties.messageID ?? "" } }

    func stopConsuming() {
        isStopped = true
        mailbox.finish()
    }

    private func name(of message: Message) -> String { message.properties.messageID ?? "?" }

    func ack(_ tag: IncomingMessage.Tag) {
        if let message = handedOut[tag] {
            broker.scheduler.tell("\(queue) acknowledges \(name(of: message))")
        }
        if let message = handedOut.removeValue(forKey: tag) { onAck(message) }
        acks.append(tag)
    }

    func ack(_ tags: [IncomingMessage.Tag]) {
        for tag in tags { ack(tag) }
    }

    override func connected() {
        connection += 1
        nextTag = 1
        acks = []
        broker.connectionCounts[queue, default: 0] += 1
        readyMessages = broker.queues[queue]?.count ?? 0
        set(.ready)
    }

    override func lost() {
        // Some of the acks on the way arrive, the others are lost.
        for _ in 0..<broker.scheduler.random.below(acks.count + 1) { applyAck() }
        broker.takeBack(unacknowledged.map(\.message), to: queue)
        unacknowledged = []
        acks = []
    }

    override func ended() {
        while !acks.isEmpty { applyAck() }
        lost()
        mailbox.finish()
    }

    override func died() {
        super.died()
        lost()
    }

    // MARK: Steps

    var canDeliver: Bool {
        isRunning && state == .ready && !isStopped && unacknowledged.count < prefetch && broker.hasMessages(queue)
    }
    var canApplyAck: Bool { !acks.isEmpty && state == .ready }

    /// A burst of messages arrives.
    func deliver() {
        let room = prefetch - unacknowledged.count
        let count = min(room, 1 + broker.scheduler.random.below(8))
        var burst: [IncomingMessage] = []
        for stored in broker.deliver(from: queue, atMost: count) {
            let tag = IncomingMessage.Tag(connection: connection, number: nextTag)
            nextTag += 1
            unacknowledged.append((tag.number, stored))
            handedOut[tag] = stored.message
            burst.append(
                IncomingMessage(
                    tag: tag,
                    redelivered: stored.returns > 0,
                    exchange: Topology.exchange,
                    routingKey: stored.routingKey,
                    message: stored.message
                )
            )
            broker.scheduler.note(5, stored.number, stored.returns)
            broker.scheduler.tell(
                "\(queue) is delivered \(name(of: stored.message)), which came back \(stored.returns) times"
            )
        }
        _ = broker.scheduler.inContext(of: process) { mailbox.yield(burst) }
    }

    /// The broker forgets a message.
    func applyAck() {
        let tag = acks.removeFirst()
        guard tag.connection == connection else { return }
        unacknowledged.removeAll { $0.tag == tag.number }
    }
}
