import AMQP
import Database
import Events
import Synchronization
import Telemetry
import Testing

@testable import Messaging

@Suite("The forwarder's state")
struct ForwarderStateTests {
    private func event(
        _ position: Int64,
        _ subject: String,
        isBlocked: Bool = false,
        type: String = "t",
        bytes: Int = 0
    ) -> StoredEvent {
        StoredEvent(
            position: position,
            id: "id-\(position)",
            type: type,
            subject: SubjectKey(source: "/s", subject: subject),
            sequence: position,
            time: 0,
            stored: [UInt8](repeating: 0, count: bytes),
            isBlocked: isBlocked
        )
    }

    @Test("publishes one event of a subject at a time, and different subjects together")
    func window() {
        var state = ForwarderState(after: 0)
        let first = state.read([event(1, "a"), event(2, "a"), event(3, "b")])
        #expect(first.publish.map(\.position) == [1, 3])
        #expect(state.confirmed(3).isEmpty)
        #expect(state.forwardedThrough == 0)
        #expect(state.confirmed(1).publish.map(\.position) == [2])
        #expect(state.forwardedThrough == 1)
        #expect(state.confirmed(2).isEmpty)
        #expect(state.forwardedThrough == 3)
        #expect(state.count == 0)
    }

    @Test("hands a refused event and the later ones of its subject to the table; others pass")
    func refusal() {
        var state = ForwarderState(after: 0)
        _ = state.read([event(1, "a"), event(2, "b"), event(3, "a")])
        let actions = state.refused(1, .transient("broker.unroutable", "no queue"))
        #expect(actions.park.map(\.event.position) == [1, 3])
        #expect(actions.park.map(\.errorClass) == ["broker.unroutable", nil])
        _ = state.confirmed(2)
        #expect(state.read([event(4, "a")]).park.map(\.event.position) == [4])
        #expect(state.forwardedThrough == 0)
        _ = state.parked(1)
        #expect(state.forwardedThrough == 2)
        _ = state.parked(3)
        _ = state.parked(4)
        #expect(state.forwardedThrough == 4)
        // The table knows from then on: an event that is read with the mark follows, one without goes out.
        #expect(state.read([event(5, "a", isBlocked: true), event(6, "a")]).park.map(\.event.position) == [5, 6])
        _ = state.parked(5)
        _ = state.parked(6)
        #expect(state.read([event(7, "a")]).publish.map(\.position) == [7])
    }

    @Test("publishes what a lost connection interrupted again, in order, and never forgets it")
    func interruption() {
        var state = ForwarderState(after: 0)
        _ = state.read([event(1, "a"), event(2, "b"), event(3, "a")])
        state.interrupted(2)
        state.interrupted(1)
        #expect(state.forwardedThrough == 0)
        #expect(state.hasInterrupted)
        #expect(state.resume().publish.map(\.position) == [1, 2])
        #expect(!state.hasInterrupted)
        #expect(state.resume().isEmpty)
        #expect(state.confirmed(1).publish.map(\.position) == [3])
    }

    @Test("hands over what is not confirmed in time, with the later events of its subject; the others pass")
    func unconfirmed() {
        var state = ForwarderState(after: 0, patience: 5)
        _ = state.read([event(1, "a", type: "slow"), event(2, "b"), event(3, "a")])
        for _ in 0..<5 { #expect(state.tick().isEmpty) }
        _ = state.confirmed(2)
        let actions = state.tick()
        #expect(actions.park.map(\.event.position) == [1, 3])
        #expect(actions.park.map(\.errorClass) == ["broker.unconfirmed", nil])
        #expect(actions.stalled == ["slow": 1])
        #expect(state.tick().isEmpty)
        // A late confirm changes nothing: the table has it.
        #expect(state.confirmed(1).isEmpty)
        #expect(state.forwardedThrough == 0)
        _ = state.parked(1)
        _ = state.parked(3)
        #expect(state.forwardedThrough == 3)
    }

    @Test("hands over all of a type at once, and sends no more of it while it is stalled")
    func stalledType() {
        var isStalled = false
        var state = ForwarderState(after: 0, patience: 5) { isStalled && $0 == "slow" }
        _ = state.read([event(1, "a", type: "slow")])
        for _ in 0..<3 { _ = state.tick() }
        _ = state.read([event(2, "b", type: "slow"), event(3, "c"), event(4, "c", type: "slow")])
        for _ in 0..<2 { _ = state.tick() }
        _ = state.read([event(5, "d", type: "slow")])
        // What has just been sent may be confirmed as quickly as ever.
        #expect(state.tick().park.map(\.event.position) == [1, 2])
        isStalled = true
        #expect(state.confirmed(3).park.map(\.event.position) == [4])
        let actions = state.read([event(6, "e", type: "slow"), event(7, "f")])
        #expect(actions.publish.map(\.position) == [7])
        #expect(actions.park.map(\.errorClass) == ["broker.unconfirmed"])
    }

    @Test("gives a tenth of the time to what others have overtaken, when it keeps them from being read")
    func heldUp() {
        var state = ForwarderState(after: 0, patience: 30)
        _ = state.read([event(1, "a", type: "slow"), event(2, "b", type: "slower")])
        for _ in 0..<4 { #expect(state.tick(isHeldUp: true).isEmpty) }
        _ = state.read([event(3, "c")])
        #expect(state.confirmed(3).isEmpty)
        #expect(state.tick().isEmpty)
        #expect(state.tick(isHeldUp: true).park.map(\.event.position) == [1, 2])
    }

    @Test("counts the time anew for what a lost connection interrupted")
    func interruptedTime() {
        var state = ForwarderState(after: 0, patience: 5)
        _ = state.read([event(1, "a")])
        for _ in 0..<5 { _ = state.tick() }
        state.interrupted(1)
        #expect(state.tick().isEmpty)
        _ = state.resume()
        for _ in 0..<5 { #expect(state.tick().isEmpty) }
        #expect(state.tick().park.map(\.event.position) == [1])
    }

    @Test("has read enough when half of its bytes are used up, until events are forgotten")
    func bytes() {
        var state = ForwarderState(after: 0, budget: ByteBudget(1000))
        _ = state.read([event(1, "a", bytes: 300), event(2, "b", bytes: 200)])
        #expect(!state.isFull)
        _ = state.read([event(3, "c", bytes: 100)])
        #expect(state.isFull)
        // It is held as long as an earlier one is not confirmed.
        _ = state.confirmed(3)
        #expect(state.budget.used == 600)
        _ = state.refused(1, .transient("broker.nacked", "no"))
        _ = state.parked(1)
        #expect(!state.isFull)
        _ = state.confirmed(2)
        #expect(state.budget.used == 0)
    }

    @Test("keeps its account over many events")
    func many() {
        var state = ForwarderState(after: 0)
        for round in 0..<200 {
            let base = Int64(round) * 16
            let events = (1...16).map { event(base + $0, "s\($0 % 5)") }
            var open = state.read(events).publish.map(\.position)
            while let next = open.popLast() { open += state.confirmed(next).publish.map(\.position) }
            #expect(state.forwardedThrough == base + 16)
        }
        #expect(state.count == 0)
    }
}

extension ForwarderState.Parking {
    fileprivate var errorClass: String? {
        switch reason {
        case .behind: nil
        case .refused(let refusal): refusal.errorClass
        case .unconfirmed: "broker.unconfirmed"
        }
    }
}

@Suite("The forwarder", .timeLimit(.minutes(5)))
struct ForwarderTests {
    private func offset(_ bench: Bench) async throws -> Int {
        try await bench.database.read { try $0.first("SELECT position FROM warren_offsets")?[0] ?? 0 }
    }

    private func append(_ bench: Bench, _ subject: String, _ number: Int) async throws {
        try await bench.events.write { try $0.append(Happened(subject: subject, number: number)) }
    }

    /// Runs the forwarder and the scheduler for the length of `body`.
    private func running(_ bench: Bench, _ body: () async throws -> Void) async throws {
        let forwarder = Task { await bench.forwarder.run() }
        let scheduler = Task { await bench.scheduler.run() }
        do {
            try await body()
            forwarder.cancel()
            scheduler.cancel()
        } catch {
            forwarder.cancel()
            scheduler.cancel()
            throw error
        }
        await forwarder.value
        await scheduler.value
    }

    @Test("publishes committed events in order, as persistent CloudEvents, and nothing of a rolled-back transaction")
    func publishes() async throws {
        try await withBench { bench in
            try await running(bench) {
                try await append(bench, "a", 1)
                try await append(bench, "a", 2)
                await #expect(throws: InboxTests.Broken.self) {
                    try await bench.events.write { transaction in
                        try transaction.append(Happened(subject: "a", number: 99))
                        throw InboxTests.Broken()
                    }
                }
                try await append(bench, "a", 3)
                try await eventually { bench.sink.published.count == 3 }
                try await eventually { try await self.offset(bench) == 3 }
            }
            let envelopes = try bench.sink.published.map { try Envelope(decoding: $0.message.body) }
            #expect(envelopes.map(\.sequence) == [1, 2, 3])
            let message = try #require(bench.sink.published.first)
            #expect(message.exchange == "warren.events")
            #expect(message.routingKey == "dev.warren.test.happened")
            #expect(message.mandatory)
            #expect(message.message.properties.deliveryMode == 2)
            #expect(message.message.properties.messageID == envelopes.first?.id)
            #expect(message.message.properties.contentType == "application/cloudevents+json; charset=utf-8")
            #expect(message.message.properties.appID == "/tested")
            #expect(message.message.properties.correlationID == "a")
        }
    }

    @Test("writes nothing more once its offset is stored")
    func rest() async throws {
        try await withBench { bench in
            try await running(bench) {
                try await append(bench, "a", 1)
                try await eventually { try await self.offset(bench) == 1 }
                // The commit is counted after it can be read: a write behind it waits for that.
                try await bench.database.write { _ in }
                let commits = bench.database.statistics.commits
                // Long enough for an offset to be stored several times over.
                await Signal().wait(until: .now + .milliseconds(250))
                #expect(bench.database.statistics.commits == commits)
            }
        }
    }

    @Test("insists on a queue only for types that somebody subscribes to")
    func mandatory() async throws {
        try await withBench { bench in
            try await running(bench) {
                try await bench.events.write { transaction in
                    try transaction.append(Happened(subject: "a", number: 1))
                    try transaction.append(Unheard(subject: "a"))
                }
                try await eventually { bench.sink.published.count == 2 }
            }
            #expect(bench.sink.published.map(\.mandatory) == [true, false])
        }
    }

    @Test("holds an event that nobody subscribes to behind a refused one, and then lets both go")
    func heldUnheard() async throws {
        try await withBench { bench in
            let refusals = Atomic(1)
            bench.sink.answer { publication in
                if refusals.subtract(1, ordering: .relaxed).oldValue > 0 {
                    return .refuse(AMQPError(code: .nacked, reason: "not now"))
                }
                // The broker returns what must reach a queue and reaches none.
                let reachesNone = publication.mandatory && publication.routingKey == Unheard.type.rawValue
                return reachesNone ? .refuse(AMQPError(code: .returned, reason: "312 NO_ROUTE")) : .confirm
            }
            try await bench.events.write { transaction in
                try transaction.append(Happened(subject: "a", number: 1))
                try transaction.append(Unheard(subject: "a"))
            }
            let forwarding = Task { await bench.forwarder.run() }
            try await bench.settle { $0.map(\.status) == ["processed", "processed"] }
            forwarding.cancel()
            await forwarding.value
        }
    }

    @Test("does not move its offset past an event that is not confirmed, and publishes it again after a reconnect")
    func reconnect() async throws {
        try await withBench { bench in
            bench.sink.answer { _ in .keep }
            try await running(bench) {
                try await append(bench, "a", 1)
                try await append(bench, "b", 2)
                try await eventually { bench.sink.published.count == 2 }
                #expect(try await offset(bench) == 0)
                bench.sink.set(.closed(cause: "test"))
                bench.sink.answer { _ in .confirm }
                bench.sink.set(.ready)
                try await eventually { try await self.offset(bench) == 2 }
            }
            let ids = bench.sink.published.map(\.message.properties.messageID)
            #expect(ids.count == 4)
            #expect(Set(ids).count == 2)
        }
    }

    @Test("publishes after a restart what the last process had not confirmed")
    func restart() async throws {
        try await withBench { bench in
            try await append(bench, "a", 1)
            try await running(bench) {
                try await eventually { bench.sink.published.count == 1 }
            }
        }
    }

    @Test("holds so many bytes at most, and one event that is larger goes alone")
    func bytes() async throws {
        try await withBench { bench in
            let budget = ByteBudget(22_000)
            func append(filling: Int) async throws {
                let filling = String(repeating: "x", count: filling)
                try await bench.events.write { try $0.append(Filled(subject: UUIDv7.make(), filling: filling)) }
            }
            for _ in 1...12 { try await append(filling: 3_000) }
            try await append(filling: 30_000)
            for _ in 1...3 { try await append(filling: 3_000) }
            bench.sink.answer { _ in .keep }
            let next = bench.anotherForwarder(budget: budget)
            let forwarding = Task { await next.run() }
            try await eventually { bench.sink.published.count >= 6 }
            // What would be read beside them would be there soon.
            await Signal().wait(until: .now + .milliseconds(100))
            #expect(bench.sink.published.count == 6)
            var confirmed = 0
            while confirmed < 16 {
                let open = bench.sink.published.dropFirst(confirmed).map(\.message.body.count)
                #expect(open.reduce(0, +) <= budget.most || open.count == 1)
                confirmed += bench.sink.confirmKept()
                await Signal().wait(until: .now + .milliseconds(2))
            }
            try await eventually { try await self.offset(bench) == 16 }
            forwarding.cancel()
            await forwarding.value
        }
    }

    @Test("names what caused an event alike, whether it comes from its commit or from the store")
    func correlation() async throws {
        try await withBench { bench in
            let committed = Mutex<[StoredEvent]>([])
            let store = EventStore(database: bench.database, source: "/tested", limits: .standard) { events in
                committed.withLock { $0 += events }
            }
            let cause = Envelope(
                id: UUIDv7.make(),
                source: "/elsewhere",
                type: Happened.type,
                subject: "cause",
                time: Timestamp.now().description,
                correlationID: "flow \"1\" \\ é",
                traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                data: Array("{}".utf8)
            )
            try await EventStore.$cause.withValue(cause) {
                _ = try await store.write { try $0.append(Happened(subject: "a", number: 1)) }
            }
            _ = try await store.write { try $0.append(Happened(subject: "b", number: 2)) }
            let fresh = committed.withLock { $0.map { Publication($0, mandatory: true) } }
            let read = try await bench.database.read { transaction in
                try bench.forwarderTable.events(
                    after: 0,
                    limit: 9,
                    within: .atWork,
                    isRepeat: false,
                    lastRepeat: 0,
                    in: transaction
                ).events.map { Publication($0, mandatory: true) }
            }
            #expect(fresh.map(\.message.properties.correlationID) == [cause.correlationID, "b"])
            let traces = fresh.map { $0.message.properties.headers?["traceparent"] }
            #expect(traces == [.string(cause.traceparent ?? ""), nil])
            #expect(fresh.map(\.message) == read.map(\.message))
        }
    }

    @Test("marks what an earlier process may have published, and nothing else")
    func repeats() async throws {
        try await withBench { bench in
            try await running(bench) {
                // What is appended while a forwarder starts may be marked or not.
                try await append(bench, "before", 0)
                try await eventually { try await self.offset(bench) == 1 }
                bench.sink.answer { _ in .keep }
                try await append(bench, "a", 1)
                try await append(bench, "a", 2)
                try await eventually { bench.sink.published.count == 2 }
            }
            bench.sink.set(.closed(cause: "the process ended"))
            bench.sink.answer { _ in .confirm }
            bench.sink.set(.ready)
            let next = bench.anotherForwarder()
            let forwarding = Task { await next.run() }
            try await eventually { bench.sink.published.count == 4 }
            try await append(bench, "a", 3)
            next.committed([])
            try await eventually { bench.sink.published.count == 5 }
            forwarding.cancel()
            await forwarding.value
            let marks = try bench.sink.published.dropFirst().map { publication in
                let mark = publication.message.properties.headers?[Publication.repeatHeader]
                return (try Envelope(decoding: publication.message.body).sequence, mark == .boolean(true))
            }
            #expect(marks.map(\.0) == [1, 1, 2, 3])
            #expect(marks.map(\.1) == [false, true, true, false])
        }
    }

    @Test("marks what it publishes from the table")
    func repeatsFromTable() async throws {
        try await withBench { bench in
            let refusals = Atomic(1)
            try await running(bench) {
                try await append(bench, "before", 0)
                try await eventually { try await self.offset(bench) == 1 }
                bench.sink.answer { _ in
                    let isRefused = refusals.subtract(1, ordering: .relaxed).oldValue > 0
                    return isRefused ? .refuse(AMQPError(code: .nacked, reason: "not now")) : .confirm
                }
                try await append(bench, "a", 1)
                try await eventually { try await bench.lives().map(\.status) == ["processed"] }
            }
            let marks = bench.sink.published.dropFirst().map {
                $0.message.properties.headers?[Publication.repeatHeader]
            }
            #expect(marks == [nil, .boolean(true)])
        }
    }

    @Test("runs no further ahead of an offset that cannot be stored than a crash may repeat")
    func aheadOfOffset() async throws {
        let refusals = LineCount("the forwarder's offset cannot be stored")
        try await withBench(logger: Logger("test", sink: refusals)) { bench in
            try await bench.events.write { transaction in
                for number in 1...100 { try transaction.append(Happened(subject: "s\(number)", number: number)) }
            }
            try await bench.database.write { transaction in
                try transaction.execute(
                    "CREATE TRIGGER refusal BEFORE INSERT ON warren_offsets BEGIN SELECT RAISE(ABORT, 'no'); END"
                )
            }
            try await running(bench) {
                try await eventually { bench.sink.published.count > 32 && refusals.value > 2 }
                #expect(bench.sink.published.count <= 48)
                try await bench.database.write { _ = try $0.execute("DROP TRIGGER refusal") }
                try await eventually { bench.sink.published.count == 100 }
                try await eventually { try await self.offset(bench) == 100 }
            }
        }
    }

    @Test("leaves an unroutable event in the dead letters after a bounded number of attempts, and the others pass it")
    func unroutable() async throws {
        try await withBench { bench in
            bench.sink.answer { publication in
                publication.message.properties.correlationID == "lost"
                    ? .refuse(AMQPError(code: .returned, reason: "NO_ROUTE")) : .confirm
            }
            try await running(bench) {
                try await append(bench, "lost", 1)
                try await append(bench, "lost", 2)
                try await append(bench, "other", 3)
                try await eventually { try await self.offset(bench) == 3 }
                try await eventually { try await bench.lives().map(\.status) == ["dead", "held"] }
                let letter = try await bench.deadLetters.show(1)
                #expect(letter.subscriber == "(forwarder)")
                #expect(letter.errorClass == "broker.unroutable")
                #expect(letter.attempts.count == 3)
                bench.sink.answer { _ in .confirm }
                _ = try await bench.deadLetters.retry(1, actor: "me", reason: "a queue is bound now")
                try await eventually { try await bench.lives().map(\.status) == ["processed", "processed"] }
            }
            let lost = bench.sink.published.filter { $0.message.properties.correlationID == "lost" }
            let sequences = try lost.map { try Envelope(decoding: $0.message.body).sequence }
            #expect(sequences == [1, 1, 1, 1, 2])
        }
    }

    @Test("sets aside what the broker does not confirm, says so, and sends it when the broker confirms again")
    func neverConfirmed() async throws {
        try await withBench(confirmTimeout: .seconds(1)) { bench async throws in
            bench.sink.answer { $0.routingKey == Happened.type.rawValue ? .keep : .confirm }
            try await running(bench) {
                // More than the window holds.
                for number in 1...40 { try await append(bench, "s\(number % 20)", number) }
                try await bench.events.write { transaction in
                    for number in 1...40 { try transaction.append(Unheard(subject: "u\(number)")) }
                }
                try await eventually {
                    bench.sink.published.count { $0.routingKey == Unheard.type.rawValue } == 40
                }
                try await eventually { try await self.offset(bench) == 80 }
                // A stall ends by silence too, and begins again with the next that is tried.
                try await eventually { bench.stalled.problem?.contains(Happened.type.rawValue) == true }
                #expect(bench.counters.value.unconfirmed > 0)
                let lives = try await bench.lives()
                #expect(lives.count == 40)
                #expect(lives.allSatisfy { ["scheduled", "held"].contains($0.status) })
                let letter = try await bench.deadLetters.show(1)
                #expect(letter.errorClass == "broker.unconfirmed")
                // No attempt is charged, however long it lasts; one at a time tries.
                let before = bench.sink.published.count
                await Signal().wait(until: .now + .milliseconds(700))
                #expect(bench.sink.published.count - before <= 4)
                bench.sink.answer { _ in .confirm }
                try await eventually { try await bench.lives().allSatisfy { $0.status == "processed" } }
                #expect(bench.stalled.problem == nil)
            }
        }
    }

    @Test("a confirm that comes late ends the stall")
    func lateConfirm() async throws {
        try await withBench(confirmTimeout: .milliseconds(300)) { bench async throws in
            bench.sink.answer { _ in .keep }
            try await running(bench) {
                try await append(bench, "a", 1)
                try await eventually { bench.stalled.problem != nil }
                bench.sink.answer { _ in .confirm }
                bench.sink.confirmKept()
                #expect(bench.stalled.problem == nil)
                try await eventually { try await bench.lives().map(\.status) == ["processed"] }
            }
        }
    }

    @Test(
        "does not publish again, from an old offset, what an operator has discarded, and later events of its subject go out"
    )
    func discarded() async throws {
        try await withBench { bench in
            bench.sink.answer { _ in .refuse(AMQPError(code: .returned, reason: "NO_ROUTE")) }
            try await running(bench) {
                try await append(bench, "lost", 1)
                try await eventually { try await bench.lives().map(\.status) == ["dead"] }
                try await eventually { try await self.offset(bench) == 1 }
            }
            _ = try await bench.deadLetters.discard(1, actor: "me", reason: "nobody wants it")
            // The process was killed before its offset was stored.
            try await bench.database.write { _ = try $0.execute("DELETE FROM warren_offsets") }
            try await append(bench, "lost", 2)
            bench.sink.answer { _ in .confirm }
            let before = bench.sink.published.count
            try await running(bench) {
                try await eventually { try await self.offset(bench) == 2 }
                try await eventually { bench.sink.published.count > before }
                try await eventually { try await bench.lives().filter { $0.status == "scheduled" }.isEmpty }
            }
            let again = try bench.sink.published.dropFirst(before).map {
                try Envelope(decoding: $0.message.body).sequence
            }
            #expect(again == [2])
        }
    }

    @Test("an event that no subscriber could take is refused where it is appended")
    func tooLarge() async throws {
        try await withBench { bench in
            await #expect(throws: EventFault.self) {
                try await bench.events.write { transaction in
                    try transaction.append(Happened(subject: String(repeating: "x", count: 2 << 20), number: 1))
                }
            }
        }
    }

    @Test("what no subscriber could read is refused where it is appended or scheduled, by the name of its field")
    func unreadable() async throws {
        let cases: [(subject: String, correlationID: String?, names: String)] = [
            ("", nil, "subject must have 1 to 255 bytes"),
            (String(repeating: "x", count: 256), nil, "subject must have 1 to 255 bytes, it has 256"),
            (String(repeating: "ä", count: 128), nil, "subject must have 1 to 255 bytes, it has 256"),
            ("a\nb", nil, "subject must not contain control characters"),
            ("a\u{0}", nil, "subject must not contain control characters"),
            ("ä\u{85}", nil, "subject must not contain control characters"),
            ("a", "", "correlationid must have 1 to 255 bytes"),
            ("a", "\u{7F}", "correlationid must not contain control characters"),
        ]
        try await withBench { bench async throws in
            for (subject, correlationID, names) in cases {
                let fault = await #expect(throws: EventFault.self) {
                    try await bench.events.write { transaction in
                        try transaction.append(Happened(subject: subject, number: 1), correlationID: correlationID)
                    }
                }
                #expect(fault?.detail.contains(names) == true, "\(names): \(String(describing: fault))")
                guard correlationID == nil else { continue }
                let other = await #expect(throws: EventFault.self) {
                    try await bench.events.write {
                        try $0.schedule(Happened(subject: subject, number: 1), at: 0, key: "k")
                    }
                }
                #expect(other?.detail.contains(names) == true)
            }
            #expect(try await bench.eventLog.page(EventLogQuery()).envelopes.isEmpty)
            #expect(try await bench.lives().isEmpty)
        }
    }

    @Test("append outside of a write of the event store says what to use")
    func misuse() async throws {
        try await withBench { bench in
            let error = await #expect(throws: DatabaseError.self) {
                try await bench.database.write { try $0.append(Happened(subject: "a", number: 1)) }
            }
            #expect(error?.code == .misuse)
        }
    }
}

@Suite("The retry policy")
struct RetryPolicyTests {
    @Test("grows to its cap and ends")
    func schedule() {
        let policy = RetryPolicy.standard
        let longest = (1...6).map { policy.pause(afterAttempt: $0, random: 1) }
        #expect(longest == [.seconds(1), .seconds(4), .seconds(16), .seconds(64), .seconds(256), nil])
        #expect(policy.pause(afterAttempt: 3, random: 0) == .milliseconds(1600))
        let capped = RetryPolicy(attempts: 1000, base: .seconds(1), factor: 10, cap: .seconds(5))
        #expect(capped.pause(afterAttempt: 999, random: 1) == .seconds(5))
    }
}
