import Events
import Telemetry

@testable import AMQP
@testable import Database
@testable import Messaging

/// What clients of a service bring about.
struct Made: Event {
    static let type: EventType = "simulation.made"
    var subject: String
    var number: Int
    /// What makes some events larger than others.
    var note: String?
}

/// What a handler appends when it is given `Made`.
struct Followed: Event {
    static let type: EventType = "simulation.followed"
    var subject: String
    var number: Int
    var note: String?
}

/// What nobody subscribes to.
struct Unheard: Event {
    static let type: EventType = "simulation.unheard"
    var subject: String
    var number: Int
}

/// A service: its disk, and the process that runs it, if one does.
///
/// Unchecked: one thread.
final class SimulatedService: @unchecked Sendable {
    /// A process from start to end.
    ///
    /// Unchecked: one thread.
    final class Process: @unchecked Sendable {
        let number: Int
        let engine: SimulatedEngine
        let runtime: MessagingRuntime
        let publisher: SimulatedPublisher
        let consumers: [SimulatedConsumer]
        var task: Task<Void, Never>?

        init(
            number: Int,
            engine: SimulatedEngine,
            runtime: MessagingRuntime,
            publisher: SimulatedPublisher,
            consumers: [SimulatedConsumer]
        ) {
            self.number = number
            self.engine = engine
            self.runtime = runtime
            self.publisher = publisher
            self.consumers = consumers
        }
    }

    private static let graceSeconds = 5

    let index: Int
    private(set) var configuration: MessagingConfiguration
    /// The names that it has had, the present one last.
    private(set) var names: [String]
    let disk: Disk
    let world: World
    private(set) var process: Process?
    /// Whether a start is on its way.
    var isExpected = false

    var name: String { configuration.service }
    /// What it is called in the ledger, whatever its name is.
    var identity: String { names[0] }

    init(index: Int, configuration: MessagingConfiguration, disk: Disk, world: World) {
        self.index = index
        self.configuration = configuration
        names = [configuration.service]
        self.disk = disk
        self.world = world
    }

    // MARK: Life

    func start() {
        guard process == nil else { return }
        isExpected = false
        let scheduler = world.scheduler
        if world.faults.contains(.changedSettings), world.hasFaults { changeSettings() }
        configuration.topology = world.topology
        let number = scheduler.makeProcess()
        world.ledger.settings[number] = .init(
            isOrdered: configuration.ordering == .perSubject,
            holdsAfterDead: configuration.afterDeadLetter == .hold
        )
        scheduler.note(6, index, number)
        scheduler.tell("\(name) starts as process \(number)")
        let engine = SimulatedEngine(disk: disk) { scheduler.isAlive(number) }
        let database = Database(engine: engine)
        let publisher = SimulatedPublisher(broker: world.broker, process: number)
        let consumer = SimulatedConsumer(
            broker: world.broker,
            process: number,
            queue: name,
            prefetch: configuration.prefetch
        )
        let net = SimulatedConsumer(
            broker: world.broker,
            process: number,
            queue: Topology.deadLetterQueue(of: name),
            prefetch: 16
        )
        for connection in [consumer, net] { connection.onAck = { [self] in checkAck(of: $0) } }
        publisher.onStored = { [ledger = world.ledger] publication in
            if let id = publication.message.properties.messageID { ledger.stored.insert(id) }
        }
        let runtime = MessagingRuntime(
            configuration,
            database: database,
            publisher: publisher,
            consumer: consumer,
            brokerDeadLetterConsumer: net,
            logger: .silent
        )
        publisher.onUnmended = { [self] type in
            world.ledger.violations.append("\(name) had \(type) back, and nobody declared its bindings again")
        }
        register(on: runtime, number: number)
        let process = Process(
            number: number,
            engine: engine,
            runtime: runtime,
            publisher: publisher,
            consumers: [consumer, net]
        )
        world.broker.publishers.append(publisher)
        world.broker.consumers += [consumer, net]
        self.process = process
        process.task = scheduler.inContext(of: number) {
            Task { [self] in
                await runtime.run(grace: .seconds(SimulatedService.graceSeconds))
                await database.close()
                stopped(number)
            }
        }
    }

    /// Somebody has changed its settings while it was down.
    private func changeSettings() {
        guard world.scheduler.hasProcesses else { return }
        if world.scheduler.random.once(in: 2) {
            configuration.ordering = world.scheduler.random.once(in: 2) ? .none : .perSubject
        }
        if world.scheduler.random.once(in: 2) {
            configuration.afterDeadLetter = world.scheduler.random.once(in: 2) ? .proceed : .hold
        }
        if names.count == 1, world.scheduler.random.once(in: 3) {
            let new = "\(name)-renamed"
            world.scheduler.tell("\(name) is called \(new) from now on")
            world.rename(name, to: new)
            names.append(new)
            configuration.service = new
        }
        world.scheduler.note(22, configuration.ordering == .none ? 1 : 0, configuration.afterDeadLetter == .hold ? 1 : 0)
    }

    /// SIGTERM: it ends in order, and starts again.
    func stop() {
        guard let process else { return }
        world.ledger.stops[identity, default: 0] += 1
        let number = process.number
        world.scheduler.after(milliseconds: (SimulatedService.graceSeconds + 2) * 1_000) { [self] in
            guard self.process?.number == number else { return }
            world.ledger.violations.append("\(name) goes on after its grace")
        }
        world.scheduler.note(7, index)
        world.scheduler.tell("\(name) is asked to stop")
        world.scheduler.inContext(of: process.number) { process.task?.cancel() }
    }

    private func stopped(_ number: Int) {
        guard process?.number == number else { return }
        leave()
        restartLater()
    }

    /// SIGKILL, and a start later.
    func kill() {
        guard process != nil else { return }
        world.scheduler.note(8, index)
        world.scheduler.tell("\(name) is killed")
        leave()
        restartLater()
    }

    private func restartLater() {
        isExpected = true
        world.scheduler.after(milliseconds: 1 + world.scheduler.random.below(1000)) { [self] in start() }
    }

    private func leave() {
        guard let process else { return }
        self.process = nil
        world.scheduler.end(process.number)
        process.publisher.died()
        for consumer in process.consumers { consumer.died() }
        world.broker.publishers.removeAll { $0 === process.publisher }
        world.broker.consumers.removeAll { consumer in process.consumers.contains { $0 === consumer } }
        world.ledger.ended(process.number)
        world.graveyard.append(process)
    }

    /// The rule: an ack follows a commit.
    private func checkAck(of message: Message) {
        if case .int64(let stranger)? = message.properties.headers?["stranger"] {
            let rows = try? disk.reader.query(
                "SELECT 1 FROM warren_deliveries WHERE json_extract(properties, '$.headers.stranger') = $1",
                [.integer(stranger)],
                limit: 1
            )
            if rows?.isEmpty != false {
                world.ledger.violations.append("\(name) acknowledged the stranger's \(stranger), and does not have it")
            }
        }
        guard let id = message.properties.messageID else { return }
        let rows = try? disk.reader.query("SELECT 1 FROM warren_deliveries WHERE event_id = $1", [.text(id)], limit: 1)
        if rows?.isEmpty != false { world.ledger.violations.append("\(name) acknowledged \(id) before its commit") }
    }

    // MARK: Handlers

    private func register(on runtime: MessagingRuntime, number: Int) {
        runtime.subscriber.on(Made.self) { [self] event, delivery in
            try await handle(event.number, event.subject, delivery, on: runtime, process: number) { transaction in
                // Two services follow one event; each follows with numbers of its own.
                let follower = event.number * 10 + self.index + 1_000_000
                try transaction.append(Followed(subject: event.subject, number: follower, note: self.world.note(for: follower)))
                return follower
            }
        }
        runtime.subscriber.on(Followed.self) { [self] event, delivery in
            try await handle(event.number, event.subject, delivery, on: runtime, process: number) { _ in nil }
        }
    }

    private func handle(
        _ event: Int,
        _ subject: String,
        _ delivery: Delivery,
        on runtime: MessagingRuntime,
        process: Int,
        follow: @escaping @Sendable (Transaction) throws -> Int?
    ) async throws {
        let world = world
        let sight = Ledger.Sight(service: identity, source: delivery.envelope.source, eventID: delivery.envelope.id)
        world.ledger.seen.insert(event)
        let call = world.ledger.calls[sight, default: 0] + 1
        world.ledger.calls[sight] = call
        world.scheduler.note(9, index, event, call)
        let conduct = world.conduct(of: event, service: index)
        world.scheduler.tell("\(name) handles \(envelopeName(delivery.envelope)), call \(call): \(conduct)")
        let isHanging = if case .hangs(let count, _) = conduct { call <= count } else { false }
        let work = world.ledger.begin(
            .init(process: process, sight: sight, subject: subject, isHanging: isHanging)
        )
        defer { world.ledger.end(work) }
        do {
            try await perform(event, subject, delivery, conduct, sight, call: call, process: process, follow)
        } catch {
            noteFailure(error, of: sight)
            throw error
        }
    }

    /// What the world knows of a handler that threw: whether that is to cost an attempt.
    private func noteFailure(_ error: any Error, of sight: Ledger.Sight) {
        if let error = error as? HandlerError, case .deferred = error.kind { return }
        if error is Delivery.Blocked || error is CancellationError { return }
        world.ledger.failures[sight, default: 0] += 1
    }

    private func perform(
        _ event: Int,
        _ subject: String,
        _ delivery: Delivery,
        _ conduct: Conduct,
        _ sight: Ledger.Sight,
        call: Int,
        process: Int,
        _ follow: @escaping @Sendable (Transaction) throws -> Int?
    ) async throws {
        let world = world
        switch conduct {
        case .isSlow(let milliseconds):
            try? await Task.sleep(for: .milliseconds(milliseconds))
        case .failsAtFirst(let count) where call <= count:
            throw HandlerError.transient("simulation.transient", "a retry helps")
        case .failsForGood where !world.isMended:
            throw HandlerError.permanent("simulation.permanent", "no retry helps")
        case .defers(let count) where call <= count:
            throw HandlerError.deferred(
                until: WallClock.milliseconds() + 50,
                "simulation.deferred",
                "not now"
            )
        case .crashes(let count) where call <= count:
            noteCrash(sight)
            kill()
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        case .isSilent:
            return
        case .hangs(let count, let isDeaf) where call <= count:
            try await hang(isDeaf: isDeaf, sight, process: process)
        default:
            break
        }
        let envelope = delivery.envelope
        let effect: @Sendable (Transaction) throws -> Void = { [self] transaction in
            try transaction.execute(
                "INSERT INTO effects (source, event_id, number, subject, sequence, process) VALUES ($1, $2, $3, $4, $5, $6)",
                envelope.source,
                envelope.id,
                event,
                subject,
                Int64(envelope.sequence ?? 0),
                process
            )
            switch conduct {
            case .rollsBack(let count) where call <= count:
                let phantom = world.ledger.nextNumber() + 500_000
                world.ledger.neverCommitted.insert(phantom)
                try transaction.append(Made(subject: subject, number: phantom))
                throw HandlerError.transient("simulation.rolled-back", "the transaction is undone")
            case .swallows(let count) where call <= count:
                throw HandlerError.transient("simulation.swallowed", "nobody hears of it")
            case .crashesInside(let count) where call <= count:
                noteCrash(sight)
                kill()
                throw SimulatedEngine.ProcessEnded()
            default:
                if let follower = try follow(transaction) {
                    try transaction.execute(
                        "INSERT INTO produced (number, subject) VALUES ($1, $2)",
                        follower,
                        subject
                    )
                }
            }
        }
        if case .swallows(let count) = conduct, call <= count {
            do {
                try await delivery.commit(effect)
            } catch {
                world.scheduler.note(10)
                noteFailure(error, of: sight)
            }
        } else {
            try await delivery.commit(effect)
        }
    }

    /// Does not come back before somebody cancels it, or not even then.
    private func hang(isDeaf: Bool, _ sight: Ledger.Sight, process: Int) async throws {
        let scheduler = world.scheduler
        // What still hangs after that has failed, unless its service is asked to stop.
        scheduler.after(milliseconds: World.attemptDeadlineMilliseconds / 2) { [world] in
            guard scheduler.isAlive(process) else { return }
            world.ledger.failures[sight, default: 0] += 1
        }
        guard isDeaf else { return try await Task.sleep(for: .seconds(86_400)) }
        let pause = scheduler.random.once(in: 2) ? nil : scheduler.random.below(3 * World.attemptDeadlineMilliseconds)
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            guard let pause else { return }
            scheduler.after(milliseconds: pause) {
                guard scheduler.isAlive(process) else { return }
                scheduler.inContext(of: process) { continuation.resume() }
            }
        }
    }

    private func envelopeName(_ envelope: Envelope) -> String {
        "\(envelope.source) \(envelope.subject) \(envelope.sequence ?? 0) (\(envelope.id))"
    }

    private func noteCrash(_ sight: Ledger.Sight) {
        world.ledger.crashes[sight, default: 0] += 1
    }

    // MARK: Clients and operators

    /// A client changes something; one time in seven the change is rolled back after its event was appended.
    func write(subject: String, number: Int? = nil) {
        guard let process else { return }
        let isUndone = number == nil && world.scheduler.random.once(in: 7)
        let isUnheard = number == nil && world.scheduler.random.once(in: 10)
        let number = number ?? world.ledger.nextNumber()
        if isUndone { world.ledger.neverCommitted.insert(number) }
        world.scheduler.inContext(of: process.number) {
            _ = Task { [world] in
                try await process.runtime.events.write { transaction in
                    try transaction.execute(
                        "INSERT INTO produced (number, subject) VALUES ($1, $2)",
                        number,
                        subject
                    )
                    if isUnheard {
                        try transaction.append(Unheard(subject: subject, number: number))
                    } else {
                        try transaction.append(Made(subject: subject, number: number, note: world.note(for: number)))
                    }
                    if isUndone { throw HandlerError.permanent("simulation.undone", "the client's fault") }
                }
                world.ledger.acknowledged.insert(number)
            }
        }
    }

    /// An operator sends dead letters back, or discards some, one by one or all together.
    func operate(discarding odds: Int) {
        guard let process else { return }
        let discards = world.scheduler.random.once(in: odds)
        let together = world.scheduler.random.once(in: 3)
        world.scheduler.inContext(of: process.number) {
            _ = Task { [world] in
                var filter = DeadLetterFilter()
                filter.states = [.dead]
                if together, !world.isMended || !world.faults.contains(.strangers) {
                    let plan = DeadLetterOperation.Plan(action: .retry, filter: filter)
                    _ = try await process.runtime.operations.start(plan, actor: "operator", reason: "simulated")
                    return
                }
                let letters = try await process.runtime.deadLetters.list(filter, after: nil, limit: 100)
                for (position, letter) in letters.enumerated() {
                    // Somebody else may have been quicker. What is no event will never be one.
                    if discards && position == 0 || letter.source.isEmpty {
                        _ = try? await process.runtime.deadLetters.discard(
                            letter.id,
                            actor: "operator",
                            reason: "simulated"
                        )
                    } else {
                        _ = try? await process.runtime.deadLetters.retry(
                            letter.id,
                            actor: "operator",
                            reason: "simulated"
                        )
                    }
                }
            }
        }
    }
}
