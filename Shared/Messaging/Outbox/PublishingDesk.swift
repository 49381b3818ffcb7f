internal import AMQP
internal import Events
import Synchronization
internal import Telemetry

/// Between those who publish - the forwarder, and the attempts from the table - and the one connection that they share.
///
/// It gives everyone the outcome that is its own. *The broker closes the channel* over one publish, and all that was in flight beside it
/// comes back: the desk finds the culprit (`CulpritSearch`), refuses it alone and publishes the others again. *An event comes back*
/// although the topology binds its type: somebody has removed the binding, so the topology is declared again, once for all that came
/// back, and they go again. What the broker takes at once pays one lock a burst.
final class PublishingDesk: PublishingConnection {
    /// How long something that was refused speaks for its like: with the forwarder, which has many, and from the table, where an operator
    /// who has mended the cause tries again.
    private static let forwarderPatience: Duration = .seconds(60)
    private static let tablePatience: Duration = .seconds(5)
    /// How long a trial waits for the broker to close the channel.
    private static let trialLimit: Duration = .seconds(2)
    /// The least time between two declarations: what still comes back then is refused.
    private static let declarationPause: Duration = .seconds(5)

    /// A publish whose outcome is open.
    private struct Outgoing: Sendable {
        var publication: Publication
        /// How many declarations had been made when it was published last.
        var declarations: Int
        var tell: @Sendable (AMQPError?) -> Void
    }

    private struct State {
        var search = CulpritSearch<Outgoing> { $1.speaks(of: $0.publication) }
        var refusals = KnownRefusals()
        /// What came while a search is under way.
        var waiting: [Outgoing] = []
        /// What came back and waits for a declaration.
        var healing: [Outgoing] = []
        var isDeclaring = false
        var declarations = 0
        var lastDeclaration: ContinuousClock.Instant?
        var isOver = false
        /// Why every publish is refused.
        var problem: String?

        var isQuiet: Bool { !search.isActive && waiting.isEmpty && refusals.isEmpty && problem == nil && !isOver }
    }

    let stalled: StalledTypes
    private let connection: any PublishingConnection
    private let subscribedTypes: Set<EventType>
    /// Whether the topology may be declared.
    private let declares: Bool
    private let logger: Logger
    private let mutable = Mutex(State())

    init(
        _ connection: any PublishingConnection,
        subscribedTypes: Set<EventType>,
        declares: Bool,
        stalled: StalledTypes,
        logger: Logger
    ) {
        self.connection = connection
        self.subscribedTypes = subscribedTypes
        self.declares = declares
        self.stalled = stalled
        self.logger = logger
    }

    var state: ConnectionState { connection.state }
    var states: AsyncStream<ConnectionState> { connection.states }

    /// What is wrong with publishing although there is a connection; nil when nothing is.
    var problem: String? { mutable.withLock(\.problem) }

    /// Runs the connection until cancelled.
    func run() async {
        let watching = Task {
            for await state in connection.states where state == .ready { beginTrial() }
        }
        await connection.run()
        watching.cancel()
        await watching.value
        end()
    }

    func declareTopology() async throws { try await connection.declareTopology() }

    func publish(_ publication: Publication) async throws {
        let error = await withCheckedContinuation { continuation in
            submit([publication]) { _, error in continuation.resume(returning: error) }
        }
        if let error { throw error }
    }

    func submit(
        _ burst: [Publication],
        outcome: @escaping @Sendable (_ index: Int, _ error: AMQPError?) -> Void
    ) {
        submit(burst, patience: Self.forwarderPatience, outcome: outcome)
    }

    private func submit(
        _ burst: [Publication],
        patience: Duration,
        outcome: @escaping @Sendable (_ index: Int, _ error: AMQPError?) -> Void
    ) {
        let (isQuiet, declarations) = mutable.withLock { ($0.isQuiet, $0.declarations) }
        guard isQuiet else {
            let outgoing = burst.enumerated().map { index, publication in
                Outgoing(publication: publication, declarations: declarations) { outcome(index, $0) }
            }
            return submit(outgoing, patience: patience)
        }
        connection.submit(burst) { [self] index, error in
            guard let error else { return outcome(index, nil) }
            let outgoing = Outgoing(publication: burst[index], declarations: declarations) { outcome(index, $0) }
            failed(outgoing, error)
        }
    }

    /// Publishes what need not wait and is not known to be refused.
    private func submit(_ burst: [Outgoing], patience: Duration) {
        var refused: [(Outgoing, AMQPError)] = []
        let publishes = mutable.withLock { state -> [Outgoing] in
            guard !state.isOver else {
                let error = AMQPError(code: .closed, reason: "the publisher has ended")
                refused = burst.map { ($0, error) }
                return []
            }
            guard !state.search.isActive else {
                state.waiting += burst
                return []
            }
            let now = ContinuousClock.now
            state.refusals.forgetOld(at: now, patience: Self.forwarderPatience)
            return burst.compactMap { outgoing in
                if let error = state.refusals.refusal(of: outgoing.publication, at: now, patience: patience) {
                    refused.append((outgoing, error.alike))
                    return nil
                }
                var outgoing = outgoing
                outgoing.declarations = state.declarations
                return outgoing
            }
        }
        for (outgoing, error) in refused { outgoing.tell(error) }
        guard !publishes.isEmpty else { return }
        connection.submit(publishes.map(\.publication)) { [self] index, error in
            if let error { return failed(publishes[index], error) }
            confirmed(publishes[index])
        }
    }

    /// The broker took something while it was known to refuse something.
    private func confirmed(_ outgoing: Outgoing) {
        mutable.withLock { state in
            state.problem = nil
            if !state.refusals.isEmpty { state.refusals.forget(outgoing.publication) }
        }
        outgoing.tell(nil)
    }

    private func failed(_ outgoing: Outgoing, _ error: AMQPError) {
        if error.code == .returned { return cameBack(outgoing, error) }
        if error.isOverOne(of: outgoing.publication) {
            let isTaken = mutable.withLock { state in
                if !state.isOver { state.search.suspect(outgoing, error) }
                return !state.isOver
            }
            if isTaken { return tryIfConnected() }
        } else if error.isOverAll {
            mutable.withLock { $0.problem = error.reason }
        }
        outgoing.tell(error)
    }

    // MARK: The search for a culprit

    /// Publishes the next suspects, if there are any and the connection stands.
    private func beginTrial() {
        let (group, trial) = mutable.withLock { ($0.search.begin(), $0.search.trial) }
        guard !group.isEmpty else { return flush() }
        connection.submit(group.map(\.publication)) { [self] index, error in
            onTrial(group[index], error, trial)
        }
        Task {
            await Signal().wait(until: .now + Self.trialLimit)
            conclude { $0.timedOut(trial) }
        }
    }

    private func onTrial(_ outgoing: Outgoing, _ error: AMQPError?, _ trial: Int) {
        let isCurrent = mutable.withLock { $0.search.isOnTrial(trial) }
        // A straggler of a trial that was given up waiting for.
        guard isCurrent else {
            if let error { return failed(outgoing, error) }
            return confirmed(outgoing)
        }
        switch error?.code {
        case .connectionLost, .closed:
            guard let error, error.channelClose == nil || error.isOverOne(of: outgoing.publication) else { fallthrough }
            conclude { $0.returned(outgoing, error) }
        default:
            if let error { failed(outgoing, error) } else { outgoing.tell(nil) }
            conclude { $0.settled() }
        }
    }

    /// The search has heard something: goes on once it has its verdict.
    private func conclude(_ change: (inout CulpritSearch<Outgoing>) -> CulpritSearch<Outgoing>.Verdict?) {
        var refused: [(Outgoing, AMQPError)] = []
        let verdict = mutable.withLock { state in
            let verdict = change(&state.search)
            guard let (culprit, error) = verdict?.culprit else { return verdict }
            let now = ContinuousClock.now
            state.refusals.learn(culprit.publication, error, at: now)
            refused.append((culprit, error.refusal))
            refused += state.search.removeAll { outgoing in
                state.refusals.refusal(of: outgoing.publication, at: now, patience: Self.forwarderPatience) != nil
            }.map { ($0, error.refusal.alike) }
            return verdict
        }
        for (outgoing, error) in refused { outgoing.tell(error) }
        guard let verdict else { return }
        if let (culprit, error) = verdict.culprit {
            logger.warning(
                "the broker closes the channel over an event; it goes to the table, and the others pass",
                [
                    LogField("messaging.message.id", culprit.publication.message.properties.messageID ?? ""),
                    LogField("messaging.event.type", culprit.publication.routingKey), LogField("error", error: error),
                ]
            )
        }
        if verdict.isConnected { beginTrial() } else { tryIfConnected() }
    }

    /// The word of a loss may come when there is a connection again, and nothing would say so any more.
    private func tryIfConnected() {
        if connection.state == .ready { beginTrial() }
    }

    /// Publishes what has waited for the end of a search.
    private func flush() {
        let waiting = mutable.withLock { state in
            defer { if !state.search.isActive { state.waiting = [] } }
            return state.search.isActive ? [] : state.waiting
        }
        if !waiting.isEmpty { submit(waiting, patience: Self.forwarderPatience) }
    }

    // MARK: The binding that is gone

    /// The broker gave an event back: no queue is bound to its type.
    private func cameBack(_ outgoing: Outgoing, _ error: AMQPError) {
        enum Way { case refused, again, waits, declares }
        let isBound = declares && subscribedTypes.contains(EventType(rawValue: outgoing.publication.routingKey))
        let way = mutable.withLock { state -> Way in
            guard isBound, !state.isOver else { return .refused }
            if state.declarations > outgoing.declarations { return .again }
            if !state.isDeclaring, let last = state.lastDeclaration,
                last.duration(to: .now) < Self.declarationPause
            {
                return .refused
            }
            state.healing.append(outgoing)
            defer { state.isDeclaring = true }
            return state.isDeclaring ? .waits : .declares
        }
        switch way {
        case .refused: outgoing.tell(error)
        case .again: submit([outgoing], patience: Self.forwarderPatience)
        case .waits: break
        case .declares: Task { await declareAgain(error) }
        }
    }

    private func declareAgain(_ error: AMQPError) async {
        logger.warning(
            "an event came back although the topology binds its type; the topology is declared again",
            [LogField("error", error: error)]
        )
        var isDeclared = true
        do {
            try await declareTopology()
        } catch {
            isDeclared = false
            logger.warning("the topology could not be declared again", [LogField("error", error: error)])
        }
        let (healing, isOver) = mutable.withLock { state in
            state.isDeclaring = false
            state.lastDeclaration = .now
            if isDeclared { state.declarations += 1 }
            defer { state.healing = [] }
            return (state.healing, state.isOver)
        }
        if isDeclared, !isOver { return submit(healing, patience: Self.forwarderPatience) }
        for outgoing in healing { outgoing.tell(error) }
    }

    /// The connection has ended for good: nobody waits for an outcome that cannot come.
    private func end() {
        let left = mutable.withLock { state in
            state.isOver = true
            defer {
                state.waiting = []
                state.healing = []
            }
            return state.search.removeAll { _ in true } + state.waiting + state.healing
        }
        for outgoing in left {
            outgoing.tell(AMQPError(code: .closed, reason: "the publisher has ended"))
        }
    }
}

extension AMQPError {
    /// The refusal of the one publish that the channel was closed over.
    fileprivate var refusal: AMQPError {
        AMQPError(
            code: code == .accessRefused || channelClose == 403 ? .accessRefused : .preconditionFailed,
            reason: reason,
            channelClose: channelClose
        )
    }

    /// The refusal of one that was not tried.
    fileprivate var alike: AMQPError {
        AMQPError(
            code: refusal.code,
            reason: "not sent, since the broker refused its like: \(reason)",
            channelClose: channelClose
        )
    }
}

// Events from the table.
extension PublishingDesk {
    /// Publishes an event from the table of deliveries.
    ///
    /// A connection that is away costs no attempt, and neither does a confirm that does not come in time: the event waits as long as it
    /// takes, and the scheduler is not held up. It is marked as a repeat: most of what lies in the table has been
    /// published before, by this process or another.
    func publishOrDefer(_ envelope: Envelope, _ body: [UInt8]) async throws {
        let type = envelope.type.rawValue
        try await takePlace(type)
        defer { stalled.leavePlace(type) }
        guard state == .ready else { throw Self.away("there is no connection to the broker") }
        let isExpected = subscribedTypes.contains(envelope.type)
        let publication = Publication(envelope, body: body, mandatory: isExpected, isRepeat: true)
        switch await answer(to: publication) {
        case .confirmed: return
        case .failed(let error) where error.isAway: throw Self.away(error.description)
        case .failed(let error): throw HandlerError(refusal: error)
        case .silent:
            stalled.mark(type)
            throw stalled.deferral(of: type, "the broker has not confirmed it within \(stalled.timeout)")
        }
    }

    private func takePlace(_ type: String) async throws {
        let deadline = ContinuousClock.now + StalledTypes.placePatience
        while true {
            switch stalled.takePlace(type) {
            case .taken: return
            case .full where .now < deadline && !Task.isCancelled:
                await Signal().wait(until: .now + .milliseconds(20))
            case .full, .stalled:
                throw stalled.deferral(of: type, "not sent: the broker has not confirmed other events of its type")
            }
        }
    }

    private static func away(_ reason: String) -> HandlerError {
        .deferred(until: WallClock.milliseconds() + 1000, "broker.away", reason)
    }

    private enum Answer {
        case confirmed
        case failed(AMQPError)
        /// None within the time-out.
        case silent
    }

    private func answer(to publication: Publication) async -> Answer {
        let (answers, answer) = AsyncStream.makeStream(of: Answer.self, bufferingPolicy: .bufferingOldest(1))
        submit([publication], patience: Self.tablePatience) { [stalled] _, error in
            if let error {
                answer.yield(.failed(error))
            } else {
                // Late or not: what is confirmed is not stalled.
                stalled.clear(publication.routingKey)
                answer.yield(.confirmed)
            }
        }
        let timer = Task {
            // A broker that takes no publishes owes no confirm: that time does not count.
            var left = 10
            while left > 0, !Task.isCancelled {
                await Signal().wait(until: .now + stalled.timeout / 10)
                if state == .ready { left -= 1 }
            }
            if !Task.isCancelled { answer.yield(.silent) }
        }
        defer { timer.cancel() }
        for await first in answers { return first }
        // The attempt was cancelled while it waited.
        return .failed(AMQPError(code: .cancelled, reason: "the service stopped before the confirm came"))
    }
}
