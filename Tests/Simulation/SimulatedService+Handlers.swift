import Events

@testable import Database
@testable import Messaging

// What its handlers do, each as its conduct says.
extension SimulatedService {
    /// Registers the handlers of a process.
    func register(on runtime: MessagingRuntime, number: Int) {
        runtime.subscriber.on(Made.self) { [self] event, delivery in
            try await handle(event.number, event.subject, delivery, on: runtime, process: number) { transaction in
                // Two services follow one event; each follows with numbers of its own.
                let follower = event.number * 10 + self.index + 1_000_000
                try transaction.append(
                    Followed(subject: event.subject, number: follower, note: self.world.note(for: follower))
                )
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
        if world.ledger.settings[process]?.isOrdered == false { world.ledger.handledUnordered.insert(sight) }
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
                until: WallClock.milliseconds() + (world.faults.contains(.clockSteps) ? 800 : 50),
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
        "\(envelope.source) \(envelope.subject ?? "-") \(envelope.sequence ?? 0) (\(envelope.id))"
    }

    private func noteCrash(_ sight: Ledger.Sight) {
        world.ledger.crashes[sight, default: 0] += 1
    }
}
