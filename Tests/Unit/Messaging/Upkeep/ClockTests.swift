import Database
import Events
import Synchronization
import Telemetry
import Testing

@testable import Messaging

private let hour: Int64 = 3_600_000

/// A machine whose clocks a test moves.
private final class Machine: Sendable {
    private struct State {
        var wall: Int64 = 1_800_000_000_000
        var sinceBoot: Int64 = 5_000_000
        var boot = "first"
    }

    private let state = Mutex(State())

    var sources: SteadyClock.Sources {
        .init(
            wall: { self.state.withLock { $0.wall * 1_000_000 } },
            sinceBoot: { self.state.withLock { $0.sinceBoot * 1_000_000 } },
            boot: { self.state.withLock { $0.boot } }
        )
    }

    var wall: Int64 { state.withLock { $0.wall } }

    func pass(_ time: Int64) {
        state.withLock { state in
            state.wall += time
            state.sinceBoot += time
        }
    }

    func step(_ time: Int64) { state.withLock { $0.wall += time } }

    /// Comes up again, with whatever the wall clock says then.
    func boot(wall: Int64) {
        state.withLock { state in
            state.boot += "+"
            (state.wall, state.sinceBoot) = (wall, 20_000)
        }
    }
}

@Suite("What is due goes by the time that has passed", .timeLimit(.minutes(5)))
struct ClockTests {
    /// A restart of the service.
    private func restarted(_ clock: SteadyClock, on machine: Machine, after: () -> Void = {}) -> SteadyClock {
        let stored = clock.stored
        after()
        let next = SteadyClock(machine.sources)
        next.resume(from: stored)
        return next
    }

    @Test("and agrees with the wall clock until that one steps", arguments: [3 * hour, -3 * hour])
    func steps(step: Int64) {
        let machine = Machine()
        let clock = SteadyClock(machine.sources)
        machine.pass(60_000)
        #expect(clock.lead == 0 && (0...1).contains(machine.wall - clock.now))
        let before = clock.now
        machine.step(step)
        machine.pass(1_000)
        #expect(clock.now - before == 1_000)
        #expect(clock.lead == step)
        #expect((0...1).contains(machine.wall - step - clock.now))
    }

    @Test("through a restart, whatever the wall clock does meanwhile", arguments: [3 * hour, -3 * hour])
    func restart(step: Int64) {
        let machine = Machine()
        let clock = SteadyClock(machine.sources)
        let before = clock.now
        let next = restarted(clock, on: machine) {
            machine.step(step)
            machine.pass(60_000)
        }
        #expect(next.now - before == 60_000)
        #expect(next.lead == step)
    }

    @Test("after a boot by the wall clock, and never back")
    func boot() {
        let machine = Machine()
        let clock = SteadyClock(machine.sources)
        let before = clock.now
        let off = restarted(clock, on: machine) { machine.boot(wall: machine.wall + hour) }
        #expect((hour...hour + 1).contains(off.now - before))
        let back = restarted(off, on: machine) { machine.boot(wall: 0) }
        #expect(back.now == off.stored.seen)
        // The network's time comes.
        machine.step(before + 2 * hour)
        #expect(back.now - before < hour + 60_000)
    }

    @Test("after a boot with a clock that is set right again, and nothing is early", arguments: [3 * hour, -3 * hour])
    func mended(step: Int64) {
        let machine = Machine()
        let clock = SteadyClock(machine.sources)
        let before = clock.now
        machine.step(step)
        #expect(clock.look(memory: nil))
        let next = restarted(clock, on: machine) { machine.boot(wall: machine.wall - step + 60_000) }
        #expect((0...60_001).contains(next.now - before))
    }

    @Test("small steps are followed at a start")
    func small() {
        let machine = Machine()
        let clock = SteadyClock(machine.sources)
        machine.step(700)
        #expect(clock.lead == 700)
        #expect(restarted(clock, on: machine).lead == 0)
    }

    @Test("in the table: a step delays no retry and ends no wait", arguments: [3 * hour, -3 * hour])
    func rows(step: Int64) async throws {
        try await withBench { bench in
            let machine = Machine()
            let clock = SteadyClock(machine.sources)
            let table = DeliveryTable(
                subscriber: "tested",
                ordering: .perSubject,
                afterDeadLetter: .hold,
                clock: clock
            )
            func wait(_ id: String) async throws {
                let now = machine.wall
                try await bench.database.write { transaction in
                    let record = DeliveryRecord(
                        key: DeliveryKey(source: "/s", eventID: id),
                        type: "t",
                        subjectKey: SubjectKey(source: "/s", subject: id),
                        receivedAt: now,
                        body: [],
                        properties: StoredProperties(json: "{}")
                    )
                    let life = DeliveryLife(state: .scheduled, dueAt: now + 60_000, deferredSince: now)
                    _ = try table.insert(record, life: life, now: now, in: transaction)
                }
            }
            func due() async throws -> [DeliveryTable.Due] {
                try await bench.database.read { transaction in
                    try DeliveryTable.due(at: clock.now, lead: clock.lead, limit: 10, in: transaction)
                }
            }
            try await wait("before")
            machine.step(step)
            try await wait("after")
            machine.pass(59_000)
            #expect(try await due().isEmpty)
            machine.pass(2_000)
            #expect(try await due().map(\.subject).sorted() == ["after", "before"])
            let row = try #require(try await due().first { $0.subject == "before" })
            // As the wall clock tells it now, it has been put off for a minute.
            #expect(abs(machine.wall - (row.life.deferredSince ?? 0) - 61_000) <= 1)
            let shown = try await bench.database.read { transaction in
                try DeliveryTable.letter(row.id, lead: clock.lead, in: transaction)
            }
            #expect(abs((shown?.dueAt ?? 0) - (machine.wall - 1_000)) <= 1)
        }
    }

    @Test("and what is kept is kept as long as it has to be", arguments: [3 * hour, -3 * hour])
    func retention(step: Int64) async throws {
        try await withBench { bench in
            let machine = Machine()
            let clock = SteadyClock(machine.sources)
            try await bench.leave(1, of: "a", state: .processed)
            try await bench.database.write { transaction in
                _ = try transaction.execute(
                    "UPDATE warren_deliveries SET received_at = $1, updated_at = $1",
                    machine.wall
                )
            }
            let retention = Retention(
                database: bench.database,
                events: nil,
                deliveries: .milliseconds(10 * hour),
                logger: .silent,
                clock: clock
            )
            machine.step(step)
            machine.pass(9 * hour)
            #expect(try await retention.pass(now: machine.wall).deliveries == 0)
            // Set right again: what was written meanwhile is as safe.
            machine.step(-step)
            #expect(try await retention.pass(now: machine.wall).deliveries == 0)
            machine.pass(20 * hour)
            #expect(try await retention.pass(now: machine.wall).deliveries == 1)
        }
    }

    @Test("and a clock is found again at the next start")
    func kept() async throws {
        try await withBench { bench in
            let machine = Machine()
            func keeper(_ clock: SteadyClock) -> ClockKeeper {
                ClockKeeper(clock: clock, database: bench.database, memory: nil, logger: .silent)
            }
            let first = SteadyClock(machine.sources)
            #expect(await keeper(first).begin())
            let before = first.now
            machine.step(5 * hour)
            machine.pass(1_000)
            let second = SteadyClock(machine.sources)
            #expect(second.lead == 0)
            #expect(await keeper(second).begin())
            #expect(second.now - before == 1_000)
            #expect(second.doubt(over: .seconds(86_400)) == 5 * hour)
        }
    }
}
