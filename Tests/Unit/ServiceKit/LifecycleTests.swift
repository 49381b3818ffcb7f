import Synchronization
import Telemetry
import Testing

@testable import ServiceKit

@Suite("The life of a service", .timeLimit(.minutes(5)))
struct LifecycleTests {
    private struct Failure: Error {}

    /// What happened, in order.
    private let story = MutexBox<[String]>([])
    private let log = CollectingLogSink()
    private let stop = StopSignal()

    private func tell(_ line: String) {
        story.change { $0.append(line) }
    }

    private static func untilCancelled() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        for await _ in stream {}
        continuation.finish()
    }

    private func part(_ name: String) -> Lifecycle.Part {
        Lifecycle.Part(name: name, mayEnd: false) {
            tell("\(name) starts")
            await Self.untilCancelled()
            tell("\(name) ends")
        }
    }

    private func run(
        serve: (@Sendable () async throws -> Void)? = nil,
        wire: (@Sendable () async throws -> Lifecycle.Wired)? = nil,
        _ parts: [Lifecycle.Part] = [],
        closers: [@Sendable () async -> Void] = [],
        grace: Duration = .seconds(120),
        readiness: Readiness = Readiness(probes: [])
    ) async -> Int32 {
        let (serving, isServing) = AsyncStream.makeStream(of: Void.self)
        let lifecycle = Lifecycle(
            servers: [
                Lifecycle.Server(
                    name: "http",
                    portKey: "http.port",
                    serve: serve ?? {
                        isServing.yield()
                        await Self.untilCancelled()
                        tell("http ends")
                    },
                    port: {
                        for await _ in serving { return 1234 }
                        throw Failure()
                    }
                )
            ],
            wire: wire ?? { Lifecycle.Wired(parts: parts, closers: closers, readiness: readiness) },
            budget: Lifecycle.Budget(grace: grace),
            stop: stop,
            logger: Logger("test", sink: log)
        )
        return await lifecycle.run()
    }

    @Test("begins the parts once HTTP is served, and ends HTTP, the parts, then the hooks from the last to the first")
    func order() async {
        let asking = Lifecycle.Part(name: "asking", mayEnd: true) { stop.request() }
        let code = await run(
            [part("messaging"), asking],
            closers: [{ tell("first hook") }, { tell("second hook") }]
        )
        #expect(code == 0)
        #expect(
            story.value.filter { !$0.hasSuffix("starts") } == [
                "http ends", "messaging ends", "second hook", "first hook",
            ]
        )
        #expect(log.records.allSatisfy { $0.level <= .info })
        #expect(log.records.first?.fields.first?.value == "1234")
    }

    @Test("goes on when a part that may end does")
    func partsThatMayEnd() async {
        let (ended, hasEnded) = AsyncStream.makeStream(of: Void.self)
        let once = Lifecycle.Part(name: "once", mayEnd: true) { hasEnded.yield() }
        let later = Lifecycle.Part(name: "later", mayEnd: true) {
            for await _ in ended { break }
            tell("still running")
            stop.request()
        }
        #expect(await run([once, later]) == 0)
        #expect(story.value.contains("still running"))
    }

    @Test("ends in order and with 1 when a part fails, and says which")
    func failingPart() async {
        let failing = Lifecycle.Part(name: "webhooks", mayEnd: true) { throw Failure() }
        #expect(await run([part("messaging"), failing], closers: [{ tell("hook") }]) == 1)
        #expect(story.value.suffix(3).contains("http ends") && story.value.last == "hook")
        #expect(stop.isRequested)
        let error = log.records.first { $0.level == .error }
        #expect(error?.fields.map(\.value).first == "webhooks")
    }

    @Test("ends with 1 when a part returns that must not")
    func returningPart() async {
        #expect(await run([Lifecycle.Part(name: "messaging", mayEnd: false) {}]) == 1)
    }

    @Test("wires once HTTP is served, and begins the parts after that")
    func wiring() async {
        let code = await run(wire: {
            tell("wired")
            return Lifecycle.Wired(parts: [
                Lifecycle.Part(name: "asking", mayEnd: true) {
                    tell("asking starts")
                    stop.request()
                }
            ])
        })
        #expect(code == 0)
        #expect(log.records.first?.message.description == "the program serves")
        #expect(story.value == ["wired", "asking starts", "http ends"])
    }

    @Test("when it is to stop while it is wired, gives that up, waits for its end, and ends with 0")
    func stopWhileWiring() async {
        let code = await run(wire: {
            stop.request()
            await Self.untilCancelled()
            tell("given up")
            return Lifecycle.Wired(parts: [part("messaging")], closers: [{ tell("hook") }])
        })
        #expect(code == 0)
        #expect(story.value == ["http ends", "given up", "hook"])
    }

    @Test("ends in order and with 1 when it cannot be wired, and says why in the words of who failed")
    func failingWiring() async {
        let failure = Lifecycle.StartFailure(message: "the database cannot be opened", cause: Failure())
        #expect(await run(wire: { throw failure }) == 1)
        #expect(story.value == ["http ends"])
        let errors = log.records.filter { $0.level == .error }.map(\.message.description)
        #expect(errors == ["the database cannot be opened"])
    }

    @Test("does not wait for wiring that does not end, and ends with 1")
    func stuckWiring() async {
        let code = await run(
            wire: {
                stop.request()
                await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                    Stuck.keep(continuation)
                }
                return Lifecycle.Wired()
            },
            grace: .seconds(4)
        )
        #expect(code == 1)
        #expect(
            log.records.filter { $0.level == .warning }.map(\.message.description) == [
                "the start of the program did not end in time"
            ]
        )
    }

    @Test("never wires when HTTP cannot be served, and ends with 1")
    func failingHTTP() async {
        let wire: @Sendable () async throws -> Lifecycle.Wired = {
            tell("wired")
            return Lifecycle.Wired()
        }
        #expect(await run(serve: { throw Failure() }, wire: wire) == 1)
        #expect(story.value == [])
        #expect(log.records.first { $0.level == .error }?.fields.map(\.value).first == "http")
    }

    @Test("does not wait for a part that does not end, closes all the same, and ends with 1")
    func stuckPart() async {
        let stuck = Lifecycle.Part(name: "stuck", mayEnd: false) {
            stop.request()
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in Stuck.keep(continuation)
            }
        }
        let clock = ContinuousClock()
        let start = clock.now
        #expect(await run([stuck, part("messaging")], closers: [{ tell("hook") }], grace: .seconds(4)) == 1)
        #expect(start.duration(to: clock.now) < .seconds(200))
        #expect(story.value.contains("messaging ends") && story.value.last == "hook")
        #expect(log.records.first { $0.level == .warning }?.fields.map(\.value) == ["stuck"])
    }

    @Test("says once when it is ready, which may be later than when it serves")
    func readiness() async {
        let asked = MutexBox(0)
        let probe = Readiness.Probe.single("broker") {
            asked.change { $0 += 1 }
            return asked.value < 3 ? "connecting" : nil
        }
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
        let sink = ReadySink(forward: log) { isReady.yield() }
        let lifecycle = Lifecycle(
            servers: [
                Lifecycle.Server(
                    name: "http",
                    portKey: "http.port",
                    serve: { await Self.untilCancelled() },
                    port: { 1 }
                )
            ],
            wire: {
                let asking = Lifecycle.Part(name: "asking", mayEnd: true) {
                    for await _ in ready { break }
                    stop.request()
                }
                return Lifecycle.Wired(parts: [asking], readiness: Readiness(probes: [probe]))
            },
            budget: Lifecycle.Budget(grace: .seconds(20)),
            stop: stop,
            logger: Logger("test", sink: sink)
        )
        #expect(await lifecycle.run() == 0)
        #expect(asked.value == 3)
        #expect(log.records.filter { $0.message.description == "the program is ready" }.count == 1)
    }

    @Test("shares the grace so that all stages together end before it does")
    func budget() {
        let budget = Lifecycle.Budget(grace: .seconds(10))
        #expect(budget.http + budget.parts + budget.closers < .seconds(10))
        #expect(budget.partsGrace < budget.parts)
    }

    private struct ReadySink: LogSink {
        let forward: CollectingLogSink
        let onReady: @Sendable () -> Void

        func write(_ record: LogRecord) {
            forward.write(record)
            if record.message.description == "the program is ready" { onReady() }
        }
    }
}
