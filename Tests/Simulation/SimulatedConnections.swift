@testable import AMQP
@testable import Messaging

/// What both kinds of connections have: a state that others watch, an end, and a way back after a loss.
///
/// Unchecked: one thread.
class SimulatedConnection: @unchecked Sendable {
    let broker: SimulatedBroker
    let process: Int
    private(set) var state = ConnectionState.closed(cause: "not connected yet")
    private var observers: [AsyncStream<ConnectionState>.Continuation] = []
    private(set) var isRunning = false
    private(set) var connectionNumber = 0
    private var ending: UnsafeContinuation<Void, Never>?
    private var isCancelled = false

    init(broker: SimulatedBroker, process: Int) {
        self.broker = broker
        self.process = process
    }

    var states: AsyncStream<ConnectionState> {
        let (stream, continuation) = AsyncStream.makeStream(of: ConnectionState.self)
        continuation.yield(state)
        observers.append(continuation)
        return stream
    }

    func set(_ state: ConnectionState) {
        self.state = state
        broker.scheduler.inContext(of: process) {
            for observer in observers { observer.yield(state) }
        }
    }

    func run() async {
        isRunning = true
        reconnect()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                if isCancelled { continuation.resume() } else { ending = continuation }
            }
        } onCancel: {
            isCancelled = true
            ending?.resume()
            ending = nil
        }
        isRunning = false
        ended()
        set(.closed(cause: "ended"))
        for observer in observers { observer.finish() }
    }

    private func reconnect() {
        set(.connecting)
        broker.scheduler.after(milliseconds: 1 + broker.scheduler.random.below(200)) { [weak self] in
            guard let self, isRunning, broker.scheduler.isAlive(process), state == .connecting else { return }
            connectionNumber += 1
            broker.declare()
            connected()
        }
    }

    /// The connection is lost.
    func cut() {
        guard isRunning, isConnected else { return }
        broker.scheduler.note(4, process)
        broker.scheduler.tell("\(self) of process \(process) is cut")
        lost()
        lose(cause: "cut")
    }

    /// There is no connection any more; there will be another one.
    func lose(cause: String) {
        set(.closed(cause: cause))
        broker.scheduler.after(milliseconds: 1 + broker.scheduler.random.below(500)) { [weak self] in
            guard let self, isRunning, broker.scheduler.isAlive(process) else { return }
            reconnect()
        }
    }

    var isConnected: Bool {
        switch state {
        case .ready, .blocked: true
        case .connecting, .closed: false
        }
    }

    func connected() { set(.ready) }
    func lost() {}
    func ended() {}
    /// The process is gone, and with it everything on this side.
    func died() { isRunning = false }
}

/// The publishing connection of a simulated process.
///
/// Unchecked: one thread.
final class SimulatedPublisher: SimulatedConnection, PublishingConnection, @unchecked Sendable {
    private typealias Outgoing = (publication: Publication, outcome: @Sendable (AMQPError?) -> Void)

    /// Sent, or about to be; the broker has not seen it.
    private var wire: [Outgoing] = []
    /// The broker has dealt with it; its answer is on the way.
    private var answers: [(outcome: @Sendable (AMQPError?) -> Void, error: AMQPError?)] = []
    /// The broker has it and does not confirm it.
    private var withheld: [(entry: SimulatedBroker.Withheld, outcome: @Sendable (AMQPError?) -> Void)] = []
    /// Calls of `publish` that wait for a connection.
    private var waiting: [Outgoing] = []
    /// Called when the bindings of a type are not there again some time after an event of it came back.
    var onUnmended: (String) -> Void = { _ in }
    /// Called when the broker has taken an event for good.
    var onStored: (Publication) -> Void = { _ in }

    func submit(_ burst: [Publication], outcome: @escaping @Sendable (Int, AMQPError?) -> Void) {
        for (index, publication) in burst.enumerated() {
            if isConnected {
                wire.append((publication, { outcome(index, $0) }))
            } else {
                answers.append(({ outcome(index, $0) }, AMQPError(code: .closed, reason: "there is no connection")))
            }
        }
    }

    func publish(_ publication: Publication) async throws {
        let error: AMQPError? = await withUnsafeContinuation { continuation in
            let entry: Outgoing = (publication, { continuation.resume(returning: $0) })
            if isConnected { wire.append(entry) } else { waiting.append(entry) }
        }
        if let error { throw error }
    }

    func blockedChanged() {
        guard isRunning, isConnected else { return }
        set(broker.isBlocked ? .blocked(reason: "low on memory") : .ready)
    }

    override func connected() {
        wire += waiting
        waiting = []
        set(broker.isBlocked ? .blocked(reason: "low on memory") : .ready)
    }

    override func lost() {
        arriveInPart()
        loseAll(AMQPError(code: .connectionLost, reason: "cut"))
    }

    /// The broker may have got some of what it never answered.
    private func arriveInPart() {
        for outgoing in wire.prefix(broker.scheduler.random.below(wire.count + 1)) {
            switch broker.take(outgoing.publication) {
            case .confirmed, .withheld: onStored(outgoing.publication)
            case .refused: break
            case .closesChannel: return
            }
        }
    }

    /// Everything that has no answer is told this one.
    private func loseAll(_ error: AMQPError) {
        answers = answers.map {
            ($0.outcome, $0.error?.code == .returned || $0.error?.code == .closed ? $0.error : error)
        }
        answers += withheld.map { ($0.outcome, error) }
        for (entry, _) in withheld { entry.confirm = nil }
        withheld = []
        answers += wire.map { ($0.outcome, error) }
        wire = []
    }

    override func ended() {
        for outgoing in wire + waiting { outgoing.outcome(AMQPError(code: .closed, reason: "ended")) }
        for answer in answers { answer.outcome(answer.error) }
        for (entry, outcome) in withheld {
            entry.confirm = nil
            outcome(AMQPError(code: .connectionLost, reason: "ended"))
        }
        withheld = []
        wire = []
        waiting = []
        answers = []
    }

    override func died() {
        super.died()
        arriveInPart()
        for (entry, _) in withheld { entry.confirm = nil }
        withheld = []
    }

    // MARK: Steps

    var canStore: Bool { !wire.isEmpty && state == .ready }
    var canAnswer: Bool { !answers.isEmpty }

    /// The broker deals with the next publication.
    func store() {
        let outgoing = wire.removeFirst()
        switch broker.take(outgoing.publication) {
        case .confirmed:
            onStored(outgoing.publication)
            answers.append((outgoing.outcome, nil))
        case .refused(let error):
            answers.append((outgoing.outcome, error))
            if error.code == .returned { returned(outgoing.publication) }
        case .withheld(let entry):
            onStored(outgoing.publication)
            withheld.append((entry, outgoing.outcome))
            entry.confirm = { [unowned self, unowned entry] in
                withheld.removeAll { $0.entry === entry }
                answers.append((outgoing.outcome, nil))
            }
        case .closesChannel(let error):
            wire.insert(outgoing, at: 0)
            closeChannel(error)
        }
    }

    /// The broker closes the channel: the client gives the connection up, and says of nothing that was under way whose
    /// fault it was.
    private func closeChannel(_ error: AMQPError) {
        loseAll(AMQPError(code: .connectionLost, reason: error.reason))
        lose(cause: error.reason)
    }

    /// The bindings of an event that came back have to be there again soon.
    private func returned(_ publication: Publication) {
        let type = publication.routingKey
        guard broker.lostBindings.contains(type) else { return }
        let number = connectionNumber
        broker.scheduler.after(milliseconds: 2_000) { [weak self] in
            guard let self, isRunning, isConnected, connectionNumber == number else { return }
            guard broker.lostBindings.contains(type) else { return }
            onUnmended(type)
        }
    }

    /// An answer arrives; confirms may overtake one another.
    func answer() {
        let answer = answers.remove(at: broker.scheduler.random.below(answers.count))
        broker.scheduler.inContext(of: process) { answer.outcome(answer.error) }
    }
}

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
