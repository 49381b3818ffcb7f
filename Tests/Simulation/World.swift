import CInterpose
import Events

@testable import Database
@testable import Messaging

/// One simulation: three services, a broker, clients, operators and faults, all of them from one seed.
///
/// Unchecked: one thread.
final class World: @unchecked Sendable {
    /// How a simulation ended.
    struct Outcome {
        var trace: UInt64
        var steps: Int
        var violations: [String]
        var processes: Int
        var events: Int
        var deadLetters: Int
    }

    let seed: UInt64
    /// What else goes wrong.
    let faults: Faults
    /// Who subscribes to what, by the names of now.
    private(set) var topology: Topology
    /// How long a handler may take.
    static let attemptDeadlineMilliseconds = 2_000
    /// The messages of strangers, and where they went.
    var strangers: [Int: SimulatedService] = [:]
    /// Queues that have no majority before the faults have stopped and all else is at rest.
    var longStuck: Set<String> = []
    /// One seed in eight: a service that talks to itself and is ended by many of its own events, with a broker that gives up
    /// on what comes back once, and nobody who kills from outside.
    let isSelfEnding: Bool
    let scheduler: Scheduler
    let ledger = Ledger()
    let broker: SimulatedBroker
    private(set) var services: [SimulatedService] = []
    /// Whether things still go wrong.
    private(set) var hasFaults = true
    /// Whether what failed for good has been mended.
    private(set) var isMended = false
    /// The processes that have ended: their memory is not let go of while something in it may still be pointed at.
    var graveyard: [SimulatedService.Process] = []
    private var remainingKills: Int
    private var remainingCuts: Int
    private var remainingWriteFailures: Int
    let subjects: Int

    private static let stepLimit = 200_000

    init(seed: UInt64, faults: Faults? = nil, disks: [Disk]) throws {
        self.seed = seed
        self.faults = faults ?? Faults(seed: seed)
        let scheduler = Scheduler(seed: seed)
        self.scheduler = scheduler
        isSelfEnding = seed % 8 == 0
        let kills = scheduler.random.below(6)
        remainingKills = isSelfEnding ? 0 : kills
        remainingCuts = scheduler.random.below(10)
        remainingWriteFailures = scheduler.random.below(4)
        subjects = 1 + scheduler.random.below(4)
        let topology = Topology([
            .init("first", to: [Followed.type]),
            .init("second", to: [Made.type]),
            .init("third", to: [Made.type, Followed.type]),
        ])
        self.topology = topology
        var bindings: [String: [String]] = [:]
        for subscription in topology.subscriptions {
            for type in subscription.types { bindings[type.rawValue, default: []].append(subscription.subscriber) }
        }
        let deliveryLimit = scheduler.random.once(in: 3) ? scheduler.random.below(3) : 20
        broker = SimulatedBroker(
            scheduler: scheduler,
            bindings: bindings,
            deliveryLimit: isSelfEnding ? 0 : deliveryLimit
        )
        if self.faults.contains(.closedChannels) { broker.maximumSize = World.maximumSize }
        for (index, subscription) in topology.subscriptions.enumerated() {
            try disks[index].clear()
            var configuration = MessagingConfiguration(
                service: subscription.subscriber,
                source: "/\(subscription.subscriber)",
                brokerURLs: ["amqp://simulated"],
                topology: topology
            )
            configuration.prefetch = [4, 16, 256][scheduler.random.below(3)]
            configuration.forwarderWindow = [2, 8, 100][scheduler.random.below(3)]
            configuration.retryPolicy = RetryPolicy(
                attempts: 2 + scheduler.random.below(3),
                base: .milliseconds(100),
                factor: 2,
                cap: .seconds(1)
            )
            configuration.publishRetryPolicy = configuration.retryPolicy
            configuration.confirmTimeout = .milliseconds(500)
            if self.faults.contains(.hangingHandlers) {
                configuration.attemptTimeout = .milliseconds(World.attemptDeadlineMilliseconds)
            }
            configuration.ordering = scheduler.random.once(in: 5) ? .none : .perSubject
            configuration.afterDeadLetter = scheduler.random.once(in: 4) ? .proceed : .hold
            services.append(
                SimulatedService(index: index, configuration: configuration, disk: disks[index], world: self)
            )
        }
    }

    func conduct(of event: Int, service: Int) -> Conduct {
        let conduct = Conduct(seed: seed, service: service, number: event, isSelfEnding: isSelfEnding, faults: faults)
        if hasFaults { return conduct }
        switch conduct {
        case .succeeds, .isSlow, .isSilent, .failsForGood: return conduct
        default: return .succeeds
        }
    }

    /// What makes some events larger than the broker takes, until somebody has mended that.
    func note(for number: Int) -> String? {
        guard faults.contains(.closedChannels), mix64(seed ^ mix64(UInt64(number))) % 16 == 0 else { return nil }
        return String(repeating: ".", count: World.maximumSize)
    }

    private static let maximumSize = 1_500

    /// A service is called something else from now on.
    func rename(_ old: String, to new: String) {
        broker.rename(old, to: new)
        topology = Topology(
            topology.subscriptions.map { $0.subscriber == old ? .init(new, to: $0.types) : $0 }
        )
        if longStuck.remove(old) != nil { longStuck.insert(new) }
    }

    // MARK: The course of things

    /// Runs to the end and asks the checker.
    func run() throws -> Outcome {
        for service in services { service.start() }
        plan()
        run(milliseconds: 8_000) { false }
        stopFaults()
        if !longStuck.isEmpty {
            if !settle() { ledger.violations.append("no rest beside \(longStuck.sorted()): \(unrest())") }
            for queue in longStuck.sorted() { broker.heal(queue) }
            longStuck = []
        }
        let settled = settle()
        if !settled { ledger.violations.append("no rest after the faults: \(unrest())") }
        check(isFinal: false)
        isMended = true
        broker.maximumSize = .max
        // What the broker refused a moment ago need not be tried again yet.
        if faults.contains(.closedChannels) { run(milliseconds: 6_000) { false } }
        for _ in 0..<40 where settled {
            for service in services { service.operate(discarding: 4) }
            run(milliseconds: 1_000) { false }
            guard settle() else {
                ledger.violations.append("no rest after the operators: \(unrest())")
                break
            }
            if services.allSatisfy({ count("status = 'dead'", of: $0) == 0 }) { break }
        }
        check(isFinal: true)
        return Outcome(
            trace: scheduler.trace,
            steps: scheduler.steps,
            violations: ledger.violations,
            processes: graveyard.count + services.count,
            events: services.map { number("SELECT COUNT(*) FROM warren_events", of: $0) }.reduce(0, +),
            deadLetters: services.map { number("SELECT COUNT(*) FROM warren_audit", of: $0) }.reduce(0, +)
        )
    }

    private func stopFaults() {
        hasFaults = false
        broker.hasFaults = false
        broker.isBlocked = false
        broker.forbiddenTypes = []
        for service in services where !longStuck.contains(service.name) { broker.heal(service.name) }
        remainingKills = 0
        remainingCuts = 0
        remainingWriteFailures = 0
        for service in services where service.process == nil && !service.isExpected { service.start() }
    }

    /// Runs until nothing is on its way any more.
    private func settle() -> Bool {
        // A step of the clock may delay a retry by a minute; what hangs holds up its own subject at each attempt.
        for _ in 0..<(faults.contains(.hangingHandlers) ? 240 : 140) {
            run(milliseconds: 500) { false }
            if unrest().isEmpty { return true }
            if scheduler.steps >= World.stepLimit { return false }
        }
        return false
    }

    /// What is still on its way.
    private func unrest() -> String {
        var reasons: [String] = []
        if scheduler.steps >= World.stepLimit { reasons.append("\(scheduler.steps) steps") }
        if broker.onTheirWay > 0 { reasons.append("\(broker.onTheirWay) dead letters are on their way") }
        for (queue, messages) in broker.queues.sorted(by: { $0.key < $1.key })
        where !messages.isEmpty && !broker.stuckQueues.contains(queue) {
            reasons.append("\(messages.count) messages in \(queue)")
        }
        for consumer in broker.consumers where !consumer.isIdle {
            let ids = consumer.unacknowledgedIDs
            reasons.append("\(consumer.queue) does not acknowledge \(ids.joined(separator: ", "))")
        }
        // What has to wait for a majority is not on its way.
        let isMoving =
            longStuck.isEmpty ? "status = 'scheduled'" : "status = 'scheduled' AND subscriber <> '(forwarder)'"
        for service in services {
            if service.process == nil { reasons.append("\(service.name) is down") }
            let due = count(isMoving, of: service)
            if due > 0 { reasons.append("\(service.name) has \(due) scheduled") }
            let waiting = number(
                """
                SELECT COUNT(*) FROM warren_events WHERE position >
                COALESCE((SELECT position FROM warren_offsets WHERE name = 'forwarder'), 0)
                """,
                of: service
            )
            if waiting > 0 { reasons.append("\(service.name) has \(waiting) unforwarded") }
        }
        return reasons.joined(separator: ", ")
    }

    private func count(_ condition: String, of service: SimulatedService) -> Int {
        number("SELECT COUNT(*) FROM warren_deliveries WHERE \(condition)", of: service)
    }

    private func number(_ sql: String, of service: SimulatedService) -> Int {
        (try? service.disk.reader.query(sql, [], limit: 1).first?[0]) ?? -1
    }

    /// All rows of all services, for a person who looks into a failure.
    func dump() {
        for service in services {
            print(
                "== \(service.names.joined(separator: ", then ")), \(service.configuration.ordering), \(service.configuration.afterDeadLetter)"
            )
            for sql in [
                "SELECT position, id, subject, sequence FROM warren_events",
                """
                SELECT id, subscriber, source, event_id, subject, sequence, status, generation, attempts, suspect, error_class
                FROM warren_deliveries
                """,
                "SELECT delivery_id, generation, attempt, error_class, started_at % 1000000 FROM warren_attempts",
                "SELECT delivery_id, action, at % 1000000 FROM warren_audit",
                "SELECT place, source, event_id, subject, sequence, process FROM effects",
            ] {
                print("  \(sql.split(separator: " ").last ?? ""):")
                for row in (try? service.disk.reader.query(sql, [], limit: .max)) ?? [] {
                    print("    \(row.values.map { "\($0)" }.joined(separator: " "))")
                }
            }
        }
    }

    // MARK: Steps

    private enum Step {
        case run(Int)
        case commit(SimulatedService.Process)
        case read(SimulatedService.Process)
        case report(SimulatedService.Process)
        case store(SimulatedPublisher)
        case answer(SimulatedPublisher)
        case deliver(SimulatedConsumer)
        case applyAck(SimulatedConsumer)
    }

    /// Runs for so long in virtual time.
    private func run(milliseconds: Int, until isDone: () -> Bool) {
        let end = scheduler.now + UInt64(milliseconds) * 1_000_000
        var isOver = false
        scheduler.after(milliseconds: milliseconds) { isOver = true }
        while !isOver, !isDone(), scheduler.steps < World.stepLimit {
            scheduler.countStep()
            disturb()
            if scheduler.random.once(in: 20) {
                scheduler.advance(to: min(end, scheduler.now + UInt64(scheduler.random.below(5_000_000))))
            }
            let steps = possibleSteps()
            if !steps.isEmpty {
                take(steps[scheduler.random.below(steps.count)])
            } else if !scheduler.advanceToNext() {
                return
            }
        }
    }

    private func possibleSteps() -> [Step] {
        var steps = scheduler.runnable.map { Step.run($0) }
        for service in services {
            guard let process = service.process else { continue }
            if process.engine.canCommit { steps.append(.commit(process)) }
            if process.engine.canRead { steps.append(.read(process)) }
            if process.engine.canReport { steps.append(.report(process)) }
            if process.publisher.canStore { steps.append(.store(process.publisher)) }
            if process.publisher.canAnswer { steps.append(.answer(process.publisher)) }
            for consumer in process.consumers {
                if consumer.canDeliver { steps.append(.deliver(consumer)) }
                if consumer.canApplyAck { steps.append(.applyAck(consumer)) }
            }
        }
        return steps
    }

    private func take(_ step: Step) {
        switch step {
        case .run(let process):
            scheduler.run(process)
        case .commit(let process):
            let isFailing = remainingWriteFailures > 0 && scheduler.random.once(in: 20)
            if isFailing {
                remainingWriteFailures -= 1
                process.engine.nextFailure = DatabaseError(code: .full, reason: "the disk is full")
            }
            var random = scheduler.random
            let count = scheduler.inContext(of: process.number) { process.engine.commit(&random) }
            if process.engine.isFull { ledger.refusedCommits[process.number, default: 0] += 1 }
            if isFailing || process.engine.isFull, let service = services.first(where: { $0.process === process }) {
                ledger.failedCommits[service.identity, default: 0] += 1
            }
            // The closures in the group have drawn as well.
            scheduler.random = SeededRandom(seed: random.next() ^ scheduler.random.next())
            scheduler.note(12, process.number, count, isFailing ? 1 : 0)
        case .read(let process):
            var random = scheduler.random
            scheduler.inContext(of: process.number) { process.engine.read(&random) }
            scheduler.random = random
            scheduler.note(13, process.number)
        case .report(let process):
            scheduler.inContext(of: process.number) { process.engine.report() }
            scheduler.note(14, process.number)
        case .store(let publisher):
            publisher.store()
            scheduler.note(15, publisher.process)
        case .answer(let publisher):
            publisher.answer()
            scheduler.note(16, publisher.process)
        case .deliver(let consumer):
            consumer.deliver()
            if ledger.settings[consumer.process]?.isOrdered == false,
                let service = services.first(where: { $0.process?.number == consumer.process })
            {
                let ids = consumer.unacknowledgedIDs.map { "\(service.identity) \($0)" }
                ledger.deliveredUnordered.formUnion(ids)
            }
        case .applyAck(let consumer):
            consumer.applyAck()
            scheduler.note(17, consumer.process)
        }
    }

    /// Something goes wrong between two steps.
    private func disturb() {
        guard hasFaults else { return }
        if remainingKills > 0, scheduler.random.once(in: 150) {
            remainingKills -= 1
            let service = services[scheduler.random.below(services.count)]
            if service.process != nil { ledger.kills[service.identity, default: 0] += 1 }
            service.kill()
        }
        if remainingCuts > 0, scheduler.random.once(in: 150) {
            remainingCuts -= 1
            let service = services[scheduler.random.below(services.count)]
            if let process = service.process {
                let connections: [SimulatedConnection] = [process.publisher] + process.consumers
                connections[scheduler.random.below(connections.count)].cut()
            }
        }
    }

    /// The queue's service and the event, of each that the broker gave up on.
    private func gaveUp(_ events: Set<String>) -> Set<String> {
        Set(
            events.map { event in
                let parts = event.split(separator: " ", maxSplits: 1)
                let service = services.first { $0.names.contains(String(parts[0])) }
                return "\(service?.identity ?? "") \(parts.last ?? "")"
            }
        )
    }

    private func check(isFinal: Bool) {
        do {
            let checker = Checker(
                services: try services.map { try Snapshot(of: $0) },
                facts: Checker.Facts(
                    acknowledged: ledger.acknowledged,
                    neverCommitted: ledger.neverCommitted,
                    seen: ledger.seen,
                    kills: ledger.kills,
                    operatorActs: ledger.operatorActs,
                    mostRefusedCommits: ledger.refusedCommits.values.max() ?? 0,
                    mostCalls: ledger.calls.values.max() ?? 0,
                    crashes: Dictionary(
                        ledger.crashes.map { ("\($0.key.service) \($0.key.source) \($0.key.eventID)", $0.value) },
                        uniquingKeysWith: +
                    ),
                    failedCommits: ledger.failedCommits,
                    published: broker.published,
                    doubled: broker.doubled,
                    brokerGaveUp: gaveUp(broker.gaveUp),
                    brokerGaveUpLate: gaveUp(broker.gaveUpLate),
                    failures: Dictionary(
                        ledger.failures.map { ("\($0.key.service) \($0.key.source) \($0.key.eventID)", $0.value) },
                        uniquingKeysWith: +
                    ),
                    refusals: broker.refusals,
                    forbidden: broker.everForbidden,
                    settings: ledger.settings,
                    handledUnordered: Set(
                        ledger.handledUnordered.map { "\($0.service) \($0.source) \($0.eventID)" }
                    ),
                    deliveredUnordered: ledger.deliveredUnordered,
                    strangers: strangers.mapValues(\.identity),
                    returnsOfStrangers: broker.returnsOfStrangers
                ),
                isFinal: isFinal
            )
            ledger.violations += checker.violations()
        } catch {
            ledger.violations.append("the checker cannot read: \(error)")
        }
    }
}
