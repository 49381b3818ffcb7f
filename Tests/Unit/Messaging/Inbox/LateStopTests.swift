import AMQP
import Database
import Events
import Synchronization
import Telemetry
import Testing

@testable import Messaging

@Suite("A stop beyond its grace", .timeLimit(.minutes(5)))
struct LateStopTests {
    @Test(
        "costs no delivery an attempt and makes none suspect",
        arguments: [(0, true), (0, false), (1, true), (3, true), (3, false)]
    )
    func costsNothing(level: Int, hears: Bool) async throws {
        try await withBench { bench in
            let begun = Flag()
            let release = Flag()
            bench.subscriber.on(Happened.self) { _, _ in throw NeverHappened() }
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            try await bench.suspect(level)
            let before = try await bench.lives()
            let runtime = MessagingRuntime(
                MessagingConfiguration(
                    service: "tested",
                    source: "/tested",
                    brokerURLs: [],
                    topology: Topology([.init("tested", to: [Happened.type])])
                ),
                database: bench.database,
                publisher: bench.sink,
                consumer: FakeSource(),
                brokerDeadLetterConsumer: FakeSource(),
                logger: .silent
            )
            runtime.subscriber.on(Happened.self) { _, _ in
                begun.set()
                if hears { try await Task.sleep(for: .seconds(120)) }
                await Task { _ = await release.wait(until: .now + .seconds(120)) }.value
            }
            let run = Task { await runtime.run(grace: .milliseconds(50)) }
            _ = await begun.wait(until: .now + .seconds(60))
            run.cancel()
            await run.value
            #expect(try await bench.lives() == before)
            #expect(try await bench.column("suspect", of: Int.self) == [level])
            #expect(try await bench.column("running_since IS NULL", of: Bool.self) == [true])
            release.set()
        }
    }
}
