import AMQP
import Database
import Events
import Synchronization
import Telemetry
import Testing

@testable import Messaging

/// Asks another bench's event log directly.
struct LogTransport: FeedTransport {
    let log: EventLog
    var willAnswer: @Sendable (FeedRequest) async throws -> Void = { _ in }

    func page(_ request: FeedRequest) async throws -> FeedPage {
        try await willAnswer(request)
        let query = EventLogQuery(after: request.after, limit: request.limit, types: request.types)
        do {
            let page = try await log.page(query, wait: request.wait)
            return FeedPage(batch: page.envelopes, next: page.next, head: page.head)
        } catch EventLogError.gone(let through) {
            throw FeedError.gone(through: through)
        }
    }
}

extension Bench {
    func feed(of source: Bench, pageSize: Int = 7, startAfter: Int64 = 0) -> EventFeed {
        feed(over: LogTransport(log: source.eventLog), pageSize: pageSize, startAfter: startAfter)
    }

    func feed(
        over transport: any FeedTransport,
        pageSize: Int = 7,
        startAfter: Int64 = 0,
        types: Set<EventType>? = nil
    ) -> EventFeed {
        EventFeed(
            "source",
            over: transport,
            startAfter: startAfter,
            types: types,
            pageSize: pageSize,
            database: database,
            inbox: inbox,
            subscriber: subscriber,
            logger: .silent
        )
    }

    /// Runs the scheduler beside `body`, for what goes through the table.
    func whileScheduling<Result>(_ body: () async throws -> Result) async throws -> Result {
        let running = Task { await scheduler.run() }
        defer { running.cancel() }
        return try await body()
    }
}

@Suite("A feed hands events to the same handlers as the queue does", .timeLimit(.minutes(5)))
struct EventFeedTests {
    @Test func `it follows the source from its beginning, in order`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                try await source.append(20, to: "a")
                let feed = target.feed(of: source)
                let following = Task { try await feed.follow() }
                try await target.whileScheduling { () async throws in
                    try await eventually { try await target.effects() == Array(1...20) }
                    try await source.append(1, to: "b")
                    try await eventually { try await target.effects().count == 21 }
                    // Its effect is seen before the offset has moved past the page that brought it.
                    try await eventually { try await feed.position() == 21 }
                }
                following.cancel()
                _ = try? await following.value
            }
        }
    }

    @Test func `the offset moves when a page is settled, not before`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                let release = Signal()
                target.subscriber.on(Happened.self) { event, delivery in
                    if event.number == 9 { await release.wait(until: .now + .seconds(60)) }
                    try await delivery.commit { try $0.execute("INSERT INTO effects (number) VALUES (1)") }
                }
                try await source.append(7, to: "a")
                let feed = target.feed(of: source)
                let following = Task { try await feed.follow() }
                try await target.whileScheduling { () async throws in
                    try await eventually { try await target.effects().count == 7 }
                    for number in 8...14 {
                        try await source.events.write { try $0.append(Happened(subject: "a", number: number)) }
                    }
                    // The event 9 hangs.
                    try await eventually { try await target.effects().count == 8 }
                    #expect(try await feed.position() < 9)
                    release.raise()
                    try await eventually { try await feed.position() == 14 }
                }
                following.cancel()
                _ = try? await following.value
                #expect(try await target.effects().count == 14)
            }
        }
    }

    @Test func `what comes by feed and by queue is done once`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                try await source.append(3, to: "a")
                for envelope in try await source.eventLog.page(EventLogQuery(after: 0)).envelopes.prefix(2) {
                    let publication = Publication(try Envelope(decoding: envelope), body: envelope)
                    await target.receive(target.message(publication.message))
                }
                try await target.whileScheduling { () async throws in
                    #expect(try await target.feed(of: source).catchUp())
                    try await eventually { try await target.effects() == [1, 2, 3] }
                }
                #expect(try await target.lives().count == 3)
            }
        }
    }

    @Test func `a source that is back is known to be back at once, though nothing happens there`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                let release = Signal()
                let waits = Mutex<[Duration]>([])
                let transport = LogTransport(log: source.eventLog) { request in
                    let count = waits.withLock { waits in
                        waits.append(request.wait)
                        return waits.count
                    }
                    guard count > 1 else { throw FeedError.unavailable("it is away") }
                    if count == 2 { await release.wait(until: .now + .seconds(60)) }
                }
                let feed = target.feed(over: transport)
                let following = Task { try await feed.follow() }
                try await eventually { feed.isAway }
                #expect(feed.problem == "it is away")
                release.raise()
                try await eventually { waits.withLock { $0.count } == 3 }
                #expect(feed.problem == nil)
                #expect(!feed.isAway)
                #expect(waits.withLock { $0 } == [.seconds(20), .zero, .seconds(20)])
                following.cancel()
                source.eventLog.stopWaiting()
                _ = try? await following.value
            }
        }
    }

    @Test func `where types are named it asks for those alone, so that the queue brings the others`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                target.subscriber.on(Unheard.self) { _, delivery in
                    try await delivery.commit { try $0.execute("INSERT INTO effects (number) VALUES (100)") }
                }
                try await source.append(3, to: "a")
                try await source.events.write { try $0.append(Unheard(subject: "a")) }
                try await target.whileScheduling { () async throws in
                    let transport = LogTransport(log: source.eventLog)
                    #expect(try await target.feed(over: transport, types: [Unheard.type]).catchUp())
                    try await eventually { try await target.effects() == [100] }
                }
                #expect(try await target.lives().count == 1)
            }
        }
    }

    @Test func `it asks only for types that have a handler`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                try await source.events.write { try $0.append(Unheard(subject: "a")) }
                try await source.append(1, to: "a")
                try await target.whileScheduling { () async throws in
                    #expect(try await target.feed(of: source).catchUp())
                    try await eventually { try await target.effects() == [1] }
                }
                #expect(try await target.lives().map(\.status) == ["processed"])
            }
        }
    }

    @Test func `a source that is away is asked again`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                try await source.append(1, to: "a")
                let failures = Mutex(2)
                let transport = LogTransport(log: source.eventLog) { _ in
                    let fails = failures.withLock { left in
                        left -= 1
                        return left >= 0
                    }
                    if fails { throw FeedError.unavailable("away") }
                }
                let feed = target.feed(over: transport)
                try await target.whileScheduling { () async throws in
                    #expect(try await feed.catchUp())
                    try await eventually { try await target.effects() == [1] }
                }
                #expect(feed.problem == nil)
            }
        }
    }

    @Test func `a position that the source no longer keeps ends it with the mend`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                try await source.append(4, to: "a")
                try await source.forwarded(through: 4)
                _ = try await source.retain(later: .seconds(7200))
                let feed = target.feed(of: source)
                await #expect(throws: FeedError.gone(through: 4)) { try await feed.follow() }
                #expect(feed.problem?.contains("`warren feeds restart`") == true)
                try await feed.restart(after: 4)
                #expect(try await feed.catchUp())
                #expect(feed.problem == nil)
            }
        }
    }

    @Test func `a feed that had stopped goes on at once where it is set, and the audit says who did it`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                try await source.append(1, to: "a")
                // A source that was restored from an older copy: it has one event, and seven were taken.
                let transport = LogTransport(log: source.eventLog) { if $0.after > 1 { throw FeedError.ahead } }
                let feed = target.feed(over: transport)
                try await feed.restart(after: 7)
                let following = Task { await feed.followAlways() }
                defer { following.cancel() }
                try await target.whileScheduling { () async throws in
                    try await eventually { feed.problem?.contains("restored from an older copy") == true }
                    #expect(try await target.effects().isEmpty)
                    try await feed.restart(after: 0, actor: "ada", reason: "a backup")
                    try await eventually { try await target.effects() == [1] }
                    #expect(feed.problem == nil)
                    // And one that runs: from the beginning again, where nothing is done twice.
                    try await feed.restart(after: 0, actor: "ada")
                    try await source.append(1, to: "a")
                    try await eventually { try await target.effects().count == 2 }
                    try await eventually { try await feed.position() == 2 }
                }
                let audit = try await target.deadLetters.audit(after: nil, limit: 10)
                #expect(audit.map(\.action) == ["restart-feed", "restart-feed"])
                #expect(audit.last?.reason == "source after 0: a backup")
                #expect(audit.allSatisfy { $0.actor == "ada" && $0.deliveryID == 0 })
            }
        }
    }

    @Test func `after a crash the first page comes back as suspects`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                try await source.append(2, to: "a")
                // The run before ended here.
                #expect(await target.feed(of: source).begin() == false)
                // Nobody runs the table: what is suspect waits there.
                #expect(try await target.feed(of: source).catchUp())
                #expect(try await target.lives().map(\.status) == ["scheduled", "held"])
                #expect(try await target.effects().isEmpty)
            }
        }
    }

    @Test func `at the beginning and after an orderly end the first page goes as all others`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                for run in 1...3 {
                    for number in [2 * run - 1, 2 * run] {
                        try await source.events.write { try $0.append(Happened(subject: "a", number: number)) }
                    }
                    let feed = target.feed(of: source)
                    let following = Task { try await feed.follow() }
                    // Nobody runs the table: what were suspect would wait there for ever.
                    try await eventually { try await target.effects() == Array(1...2 * run) }
                    try await eventually { try await feed.position() == 2 * Int64(run) }
                    following.cancel()
                    try await following.value
                }
                #expect(try await target.lives().allSatisfy { $0.status == "processed" })
            }
        }
    }

    @Test func `a run that ends while events are under way did not end in order`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                let begun = Signal()
                let release = Signal()
                target.subscriber.on(Happened.self) { event, delivery in
                    begun.raise()
                    await release.wait(until: .now + .seconds(60))
                    try await delivery.commit { _ in }
                }
                try await source.append(1, to: "a")
                let following = Task { try await target.feed(of: source).follow() }
                await begun.wait(until: .now + .seconds(60))
                following.cancel()
                try await following.value
                release.raise()
                await target.inbox.drained()
                #expect(await target.feed(of: source).begin() == true)
            }
        }
    }

    @Test func `a run that the source refuses ended in order`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                let refusing = LogTransport(log: source.eventLog) { _ in throw FeedError.refused("no") }
                await #expect(throws: FeedError.self) { try await target.feed(over: refusing).follow() }
                #expect(await target.feed(of: source).begin() == false)
            }
        }
    }

    @Test func `done once, a catch-up is not done again`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                try await source.append(1, to: "a")
                try await target.whileScheduling { () async throws in
                    #expect(try await target.feed(of: source).catchUp())
                    let silent = LogTransport(log: source.eventLog) { _ in throw FeedError.refused("asked") }
                    #expect(try await target.feed(over: silent).catchUp())
                }
            }
        }
    }
}
