@testable import AMQP
@testable import Messaging

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
    /// When it was last asked to declare the topology, in nanoseconds.
    private var lastDeclaration: UInt64 = 0
    /// How soon after that it need not be asked again.
    private static let declarationPause: UInt64 = 6_000_000_000
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

    /// Over a connection of its own, which may fail too.
    func declareTopology() async throws {
        let scheduler = broker.scheduler
        lastDeclaration = scheduler.now
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            scheduler.after(milliseconds: 1 + scheduler.random.below(100)) { [process] in
                guard scheduler.isAlive(process) else { return }
                scheduler.inContext(of: process) { continuation.resume() }
            }
        }
        if broker.hasFaults, scheduler.random.once(in: 10) {
            throw AMQPError(code: .connectionFailed, reason: "no connection for the declarations")
        }
        broker.declare()
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
        loseAll(AMQPError(code: .connectionLost, reason: error.reason, channelClose: error.channelClose))
        lose(cause: error.reason)
    }

    /// An event that came back for want of its bindings has the topology declared again: at once, or, where that was tried a
    /// moment ago, when its like comes back later.
    private func returned(_ publication: Publication) {
        let type = publication.routingKey
        guard broker.lostBindings.contains(type) else { return }
        let scheduler = broker.scheduler
        guard scheduler.now - lastDeclaration > SimulatedPublisher.declarationPause else { return }
        let (number, before) = (connectionNumber, lastDeclaration)
        scheduler.after(milliseconds: 2_000) { [weak self] in
            guard let self, isRunning, isConnected, connectionNumber == number, lastDeclaration == before else {
                return
            }
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
