import Events
import Telemetry

@testable import AMQP
@testable import Database
@testable import Messaging

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
        world.scheduler.note(
            22,
            configuration.ordering == .none ? 1 : 0,
            configuration.afterDeadLetter == .hold ? 1 : 0
        )
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

    // MARK: Clients and operators

    /// A client changes something; one time in seven the change is rolled back after its event was appended, and one time in
    /// twelve its event is none that anybody could read.
    func write(subject: String, number: Int? = nil) {
        guard let process else { return }
        let isUndone = number == nil && world.scheduler.random.once(in: 7)
        let isUnheard = number == nil && world.scheduler.random.once(in: 10)
        let isUnreadable = number == nil && world.scheduler.random.once(in: 12)
        let number = number ?? world.ledger.nextNumber()
        // No subscriber could read these, so nobody may write them.
        let subject = isUnreadable ? ["", "a\0b", "a\nb", String(repeating: "s", count: 300)][number % 4] : subject
        if isUndone || isUnreadable { world.ledger.neverCommitted.insert(number) }
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

    /// An operator sends dead letters back, or discards or edits some, one by one or all together.
    func operate(discarding odds: Int) {
        guard let process else { return }
        world.ledger.operatorActs[identity, default: 0] += 1
        let discards = world.scheduler.random.once(in: odds)
        let together = world.scheduler.random.once(in: 3)
        let edits = world.scheduler.random.once(in: 6)
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
                    let isOwn = letter.subscriber != "(forwarder)" && !letter.source.isEmpty
                    if edits, position == 0, isOwn, let envelope = try? Envelope(decoding: letter.body) {
                        _ = try? await process.runtime.deadLetters.edit(
                            letter.id,
                            to: .data(envelope.data),
                            actor: "operator",
                            reason: "simulated"
                        )
                    } else if discards && position == 0 || letter.source.isEmpty {
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
