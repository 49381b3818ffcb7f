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
}

/// What a handler appends when it is given `Made`.
struct Followed: Event {
    static let type: EventType = "simulation.followed"
    var subject: String
    var number: Int
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

    let index: Int
    let configuration: MessagingConfiguration
    let disk: Disk
    let world: World
    private(set) var process: Process?
    /// Whether a start is on its way.
    var isExpected = false

    var name: String { configuration.service }

    init(index: Int, configuration: MessagingConfiguration, disk: Disk, world: World) {
        self.index = index
        self.configuration = configuration
        self.disk = disk
        self.world = world
    }

    // MARK: Life

    func start() {
        guard process == nil else { return }
        isExpected = false
        let scheduler = world.scheduler
        let number = scheduler.makeProcess()
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
                await runtime.run(grace: .seconds(5))
                await database.close()
                stopped(number)
            }
        }
    }

    /// SIGTERM: it ends in order, and starts again.
    func stop() {
        guard let process else { return }
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
        world.graveyard.append(process)
    }

    /// The rule: an ack follows a commit.
    private func checkAck(of message: Message) {
        guard let id = message.properties.messageID else { return }
        let rows = try? disk.reader.query(
            "SELECT 1 FROM warren_deliveries WHERE subscriber = $1 AND event_id = $2",
            [.text(name), .text(id)],
            limit: 1
        )
        if rows?.isEmpty != false { world.ledger.violations.append("\(name) acknowledged \(id) before its commit") }
    }

    // MARK: Handlers

    private func register(on runtime: MessagingRuntime, number: Int) {
        runtime.subscriber.on(Made.self) { [self] event, delivery in
            try await handle(event.number, event.subject, delivery, on: runtime, process: number) { transaction in
                // Two services follow one event; each follows with numbers of its own.
                let follower = event.number * 10 + self.index + 1_000_000
                try transaction.append(Followed(subject: event.subject, number: follower))
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
        let sight = Ledger.Sight(service: name, source: delivery.envelope.source, eventID: delivery.envelope.id)
        world.ledger.seen.insert(event)
        let call = world.ledger.calls[sight, default: 0] + 1
        world.ledger.calls[sight] = call
        world.scheduler.note(9, index, event, call)
        let conduct = world.conduct(of: event, service: index)
        world.scheduler.tell("\(name) handles \(envelopeName(delivery.envelope)), call \(call): \(conduct)")
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
            noteCrash(sight, call)
            kill()
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        case .isSilent:
            return
        default:
            break
        }
        let envelope = delivery.envelope
        let effect: @Sendable (Transaction) throws -> Void = { [self] transaction in
            try transaction.execute(
                "INSERT INTO effects (source, event_id, number, subject, sequence) VALUES ($1, $2, $3, $4, $5)",
                envelope.source,
                envelope.id,
                event,
                subject,
                Int64(envelope.sequence ?? 0)
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
                noteCrash(sight, call)
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
            do { try await delivery.commit(effect) } catch { world.scheduler.note(10) }
        } else {
            try await delivery.commit(effect)
        }
    }

    private func envelopeName(_ envelope: Envelope) -> String {
        "\(envelope.source) \(envelope.subject) \(envelope.sequence ?? 0) (\(envelope.id))"
    }

    private func noteCrash(_ sight: Ledger.Sight, _ call: Int) {
        world.ledger.crashes[sight, default: 0] += 1
        if call == 1 { world.ledger.firstCrashes[name, default: 0] += 1 }
    }

    // MARK: Clients and operators

    /// A client changes something; one time in seven the change is rolled back after its event was appended.
    func write(subject: String) {
        guard let process else { return }
        let number = world.ledger.nextNumber()
        let isUndone = world.scheduler.random.once(in: 7)
        let isUnheard = world.scheduler.random.once(in: 10)
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
                        try transaction.append(Made(subject: subject, number: number))
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
            _ = Task {
                var filter = DeadLetterFilter()
                filter.states = [.dead]
                if together {
                    let plan = DeadLetterOperation.Plan(action: .retry, filter: filter)
                    _ = try await process.runtime.operations.start(plan, actor: "operator", reason: "simulated")
                    return
                }
                let letters = try await process.runtime.deadLetters.list(filter, after: nil, limit: 100)
                for (position, letter) in letters.enumerated() {
                    // Somebody else may have been quicker.
                    if discards, position == 0 {
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
