import Database
import Events
import Telemetry
import Testing

@testable import Messaging

extension Bench {
    /// Runs operations, and the scheduler where it is wanted, until an operation is as the test waits for it.
    @discardableResult func operate(
        on id: Int64,
        scheduling: Bool = false,
        until condition: @escaping @Sendable (DeadLetterOperation) -> Bool
    ) async throws -> DeadLetterOperation {
        let operating = Task { await operationRunner.run() }
        let running = scheduling ? Task { await scheduler.run() } : nil
        defer {
            operating.cancel()
            running?.cancel()
        }
        try await eventually { condition(try await self.operations.show(id)) }
        operating.cancel()
        running?.cancel()
        await operating.value
        await running?.value
        await scheduler.drained()
        return try await operations.show(id)
    }

    func count(_ sql: String) async throws -> Int {
        try await database.read { try $0.first("SELECT COUNT(*) FROM \(sql)")?[0] ?? 0 }
    }
}

@Suite("Operations on many dead letters")
struct DeadLetterOperationTests {
    private func plan(
        _ action: DeadLetterAction,
        limit: Int? = nil,
        rate: Double? = nil,
        _ change: (inout DeadLetterFilter) -> Void = { _ in }
    ) -> DeadLetterOperation.Plan {
        var filter = DeadLetterFilter()
        change(&filter)
        return DeadLetterOperation.Plan(action: action, filter: filter, limit: limit, rate: rate)
    }

    @Test("a retry goes to all that match and to nothing else, each once, and says who and why of each")
    func retry() async throws {
        try await withBench { bench in
            bench.recordEffects()
            try await bench.fill(1_500, states: [.dead, .dead, .dead, .discarded], sharesSubjects: false)
            let all = try await bench.allLetters()
            let plan = plan(.retry) { $0.types = ["type.1", "type.2"] }
            let matching = all.filter(plan.filter.matches)
            #expect(try await bench.operations.count(plan) == (matching.count, true))
            let operation = try await bench.operations.start(plan, actor: "anna", reason: "it is back")
            #expect(operation.total == matching.count && operation.state == .running)
            let after = try await bench.operate(on: operation.id, scheduling: true) { $0.state == .done }
            #expect(after.done == matching.count && after.failed == 0 && after.finishedAt != nil)
            try await bench.settle { lives in !lives.contains { $0.status == "scheduled" || $0.status == "held" } }
            #expect(try await bench.effects().count == matching.count)
            #expect(Set(try await bench.effects()).count == matching.count)
            let left = Set(try await bench.allLetters().map(\.id))
            #expect(left == Set(all.map(\.id)).subtracting(matching.map(\.id)))
            #expect(
                try await bench.count(
                    "warren_audit WHERE action = 'retry' AND actor = 'anna' AND reason = 'it is back' AND operation_id = 1"
                ) == matching.count
            )
            #expect(try await bench.count("warren_audit WHERE action = 'start' AND operation_id = 1") == 1)
            let counts = try await bench.groupCounts()
            #expect(counts.kept == counts.counted)
        }
    }

    @Test("a discard, and a restore of what was discarded", arguments: [DeadLetterAction.discard, .restore])
    func others(_ action: DeadLetterAction) async throws {
        try await withBench { bench in
            try await bench.fill(500, states: [.dead, .discarded])
            let before = try await bench.allLetters().filter { $0.state == action.from }.count
            let plan = plan(action) { $0.text = "wrong" }
            let operation = try await bench.operations.start(plan, actor: "anna", reason: "r")
            #expect(operation.total == nil, "a text has to be counted first")
            let after = try await bench.operate(on: operation.id) { $0.state == .done }
            #expect(after.total == before && after.done == before)
            #expect(try await bench.allLetters().filter { $0.state == action.from }.isEmpty)
            let counts = try await bench.groupCounts()
            #expect(counts.kept == counts.counted)
        }
    }

    @Test("what came or died after it was asked for is not touched")
    func bounded() async throws {
        try await withBench { bench in
            try await bench.fill(10)
            let operation = try await bench.operations.start(plan(.discard), actor: "anna", reason: "r")
            bench.subscriber.on(Happened.self) { _, _ in throw HandlerError.permanent("no", "no") }
            await bench.receive(try bench.message(Happened(subject: "later", number: 1)))
            // One that was there before and dies now: its last change is later than the request.
            try await bench.database.write { transaction in
                _ = try transaction.execute(
                    "UPDATE warren_deliveries SET updated_at = $1 WHERE id = 5",
                    operation.createdAt + 1
                )
            }
            let after = try await bench.operate(on: operation.id) { $0.state == .done }
            #expect(after.done == 9)
            #expect(try await bench.allLetters().filter { $0.state == .dead }.map(\.id) == [5, 11])
        }
    }

    @Test("one that is cut off in the middle goes on where it was, and does none twice")
    func continues() async throws {
        try await withBench { bench in
            try await bench.fill(1_000)
            let operation = try await bench.operations.start(plan(.retry), actor: "anna", reason: "r")
            // Nothing takes what is due, so it stops at the bound of what may be outstanding.
            let first = try await bench.operate(on: operation.id) { $0.done > 100 }
            #expect(first.done < 1_000 && first.state == .running)
            // What a process that was killed leaves is what is in the table: a new runner knows nothing else.
            try await bench.database.write { transaction in
                _ = try transaction.execute(
                    "UPDATE warren_deliveries SET due_at = $1 WHERE due_at IS NOT NULL",
                    Int64.max / 2
                )
            }
            let runner = OperationRunner(
                database: bench.database,
                transitions: bench.deadLetters.transitions,
                wake: bench.operations.wake,
                onScheduled: bench.onScheduled,
                logger: .silent
            )
            let running = Task { await runner.run() }
            try await eventually { try await bench.operations.show(operation.id).state == .done }
            running.cancel()
            await running.value
            #expect(try await bench.operations.show(operation.id).done == 1_000)
            #expect(try await bench.allLetters().allSatisfy { $0.generation == 1 && $0.state != .dead })
            #expect(try await bench.count("warren_audit WHERE action = 'retry'") == 1_000)
        }
    }

    @Test("retries are handed over no faster than the scheduler takes them")
    func backpressure() async throws {
        try await withBench { bench in
            // Each of a subject of its own: what is held behind another does not wait for the scheduler.
            try await bench.fill(3_000, sharesSubjects: false)
            let operation = try await bench.operations.start(plan(.retry), actor: "anna", reason: "r")
            let after = try await bench.operate(on: operation.id) {
                $0.done > OperationRunner.outstanding - 2 * OperationRunner.slice
            }
            #expect(after.done <= OperationRunner.outstanding)
            #expect(after.state == .running)
        }
    }

    @Test("a paused one touches nothing, a resumed one goes on, a cancelled one never does, and the audit has it all")
    func orders() async throws {
        try await withBench { bench in
            try await bench.fill(500)
            let operation = try await bench.operations.start(plan(.discard, rate: 20), actor: "anna", reason: "r")
            let operating = Task { await bench.operationRunner.run() }
            defer { operating.cancel() }
            try await eventually { try await bench.operations.show(operation.id).done > 0 }
            let paused = try await bench.operations.order(.pause, operation.id, actor: "ben", reason: "wait")
            #expect(paused.state == .paused)
            let discarded = try await bench.count("warren_deliveries WHERE status = 'discarded'")
            #expect(paused.done == discarded)
            // Another one runs to its end meanwhile, and the paused one stays where it is.
            let other = try await bench.operations.start(plan(.restore), actor: "anna", reason: "r")
            try await eventually { try await bench.operations.show(other.id).state == .done }
            #expect(try await bench.operations.show(operation.id).done == paused.done)
            #expect(try await bench.operations.order(.resume, operation.id, actor: "ben", reason: "").state == .running)
            try await eventually { try await bench.operations.show(operation.id).done > paused.done }
            let cancelled = try await bench.operations.order(.cancel, operation.id, actor: "ben", reason: "enough")
            #expect(cancelled.state == .cancelled && cancelled.finishedAt != nil && cancelled.done < 500)
            for order in DeadLetterOperation.Order.allCases {
                await #expect(throws: DeadLetterOperationError.wrongState(operation.id, .cancelled)) {
                    try await bench.operations.order(order, operation.id, actor: "ben", reason: "")
                }
            }
            await #expect(throws: DeadLetterOperationError.notFound(99)) {
                try await bench.operations.order(.cancel, 99, actor: "ben", reason: "")
            }
            operating.cancel()
            await operating.value
            #expect(try await bench.operations.show(operation.id).done == cancelled.done)
            let audit = try await bench.deadLetters.audit(after: nil, limit: 500).filter { $0.deliveryID == 0 }
            #expect(audit.reversed().map(\.action) == ["start", "pause", "start", "resume", "cancel"])
            #expect(audit.allSatisfy { $0.operationID != nil })
        }
    }

    @Test("ends at its limit")
    func limited() async throws {
        try await withBench { bench in
            try await bench.fill(300)
            let operation = try await bench.operations.start(plan(.discard, limit: 70), actor: "anna", reason: "r")
            #expect(operation.total == 70)
            let after = try await bench.operate(on: operation.id) { $0.state == .done }
            #expect(after.done == 70)
            #expect(try await bench.count("warren_deliveries WHERE status = 'discarded'") == 70)
            // The oldest first.
            #expect(try await bench.count("warren_deliveries WHERE status = 'discarded' AND id <= 70") == 70)
        }
    }

    @Test("what cannot be done is counted as failed: an edited one is not restored, and who was quicker has done it")
    func failed() async throws {
        try await withBench { bench in
            try await bench.fill(10)
            let edit = DeadLetterEdit.data(Array("{\"subject\":\"x\",\"number\":1}".utf8))
            _ = try await bench.deadLetters.edit(1, to: edit, actor: "a", reason: "typo")
            let discarding = try await bench.operations.start(plan(.discard), actor: "anna", reason: "r")
            try await bench.operate(on: discarding.id) { $0.state == .done }
            let operation = try await bench.operations.start(plan(.restore), actor: "anna", reason: "r")
            let after = try await bench.operate(on: operation.id) { $0.state == .done }
            #expect((after.done, after.failed) == (9, 1))
            #expect(try await bench.deadLetters.show(1).state == .discarded)
        }
    }

    @Test("several dead letters of one subject are handled in the order of their events")
    func ordered() async throws {
        try await withBench(afterDeadLetter: .proceed) { bench in
            let handled = Handled()
            bench.subscriber.on(Happened.self) { event, delivery in
                guard await handled.isMended else { throw HandlerError.permanent("no", "no") }
                await handled.add(event)
                try await delivery.commit { _ in }
            }
            for number in 1...40 {
                let event = Happened(subject: "s\(number % 4)", number: number)
                await bench.receive(try bench.message(event, sequence: UInt64(number)))
            }
            #expect(try await bench.lives().allSatisfy { $0.status == "dead" })
            await handled.mend()
            let operation = try await bench.operations.start(plan(.retry), actor: "anna", reason: "r")
            try await bench.operate(on: operation.id) { $0.state == .done }
            // One of each subject is due; the others are held behind it, however quick or slow it is.
            let lives = try await bench.lives()
            #expect(lives.filter { $0.status == "scheduled" }.map(\.subject) == ["s1", "s2", "s3", "s0"])
            #expect(lives.count { $0.status == "held" } == 36)
            try await bench.settle { $0.allSatisfy { $0.status == "processed" } }
            for subject in 0..<4 {
                let numbers = await handled.events.filter { $0.subject == "s\(subject)" }.map(\.number)
                #expect(numbers == numbers.sorted() && numbers.count == 10)
            }
        }
    }

    @Test("held successors of a dead letter follow it in order")
    func successors() async throws {
        try await withBench { bench in
            let handled = Handled()
            bench.subscriber.on(Happened.self) { event, delivery in
                guard await handled.isMended else { throw HandlerError.permanent("no", "no") }
                await handled.add(event)
                try await delivery.commit { _ in }
            }
            for number in 1...10 {
                await bench.receive(try bench.message(Happened(subject: "s", number: number), sequence: UInt64(number)))
            }
            await handled.mend()
            let operation = try await bench.operations.start(plan(.retry), actor: "anna", reason: "r")
            #expect(operation.total == 1)
            try await bench.operate(on: operation.id, scheduling: true) { $0.state == .done }
            try await bench.settle { $0.allSatisfy { $0.status == "processed" } }
            #expect(await handled.events.map(\.number) == Array(1...10))
        }
    }

    @Test("the rate is kept, and grows from nothing over the ramp")
    func pace() {
        var plan = plan(.retry, rate: 100)
        let steady = OperationPace(plan)
        #expect(steady.allowance(after: 0) == 0 && steady.allowance(after: 2) == 200)
        #expect(steady.allowance(after: steady.seconds(until: 7)) >= 7)
        plan.ramp = .seconds(10)
        let ramped = OperationPace(plan)
        #expect(ramped.allowance(after: 1) == 5 && ramped.allowance(after: 10) == 500)
        #expect(ramped.allowance(after: 20) == 1_500)
        for count in [1, 5, 499, 501, 10_000] {
            let seconds = ramped.seconds(until: count)
            #expect(ramped.allowance(after: seconds) >= count)
            #expect(ramped.allowance(after: seconds - 0.2) < count)
        }
        #expect(OperationPace(self.plan(.retry)).allowance(after: 0) == .max)
    }
}

/// What a handler has seen, and whether its fault is mended.
private actor Handled {
    private(set) var events: [Happened] = []
    private(set) var isMended = false

    func add(_ event: Happened) { events.append(event) }

    func mend() { isMended = true }
}
