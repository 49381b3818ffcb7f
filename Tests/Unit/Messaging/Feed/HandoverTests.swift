import AMQP
import Database
import Events
import Synchronization
import Testing

@testable import Messaging

/// A queue that takes what is published once it is bound, and hands it out in bursts.
private final class BoundQueue: Sendable {
    private struct State {
        var isBound = false
        var messages: [Message] = []
        var bursts = 0
    }

    private let state = Mutex(State())

    func bind() { state.withLock { $0.isBound = true } }

    func publish(_ publication: Publication) {
        state.withLock { state in
            if state.isBound { state.messages.append(publication.message) }
        }
    }

    var isEmpty: Bool { state.withLock { $0.messages.isEmpty } }

    func take(_ count: Int) -> [Message] {
        state.withLock { state in
            let taken = Array(state.messages.prefix(count))
            state.messages.removeFirst(taken.count)
            return taken
        }
    }
}

/// How much has been published.
private final class Tally: Sendable {
    let count = Mutex(0)
}

@Suite("A new subscriber catches up and goes over to its queue", .timeLimit(.minutes(5)))
struct HandoverTests {
    private static let subjects = 8
    private static let perSubject = 60

    /// Publishes all the time; the queue is bound and the subscriber starts in the middle of it.
    private func run(failing: @escaping @Sendable (Int, Int) -> Bool) async throws -> [Int] {
        try await withBench { source async throws in
            try await withBench(policy: RetryPolicy(attempts: 9, base: .zero, factor: 1, cap: .zero)) { target in
                let queue = BoundQueue()
                source.sink.answer { publication in
                    queue.publish(publication)
                    return .confirm
                }
                target.subscriber.on(Happened.self) { event, delivery in
                    if failing(event.number, delivery.attempt) { throw NeverHappened() }
                    try await delivery.commit { transaction in
                        try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                    }
                }
                let forwarding = Task { await source.forwarder.run() }
                let scheduling = Task { await target.scheduler.run() }
                defer { scheduling.cancel() }
                let published = Tally()
                let publishing = Task { [source, published] in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for subject in 0..<Self.subjects {
                            group.addTask {
                                for number in 1...Self.perSubject {
                                    try await source.events.write { transaction in
                                        let event = Happened(subject: "s\(subject)", number: subject * 1000 + number)
                                        try transaction.append(event)
                                    }
                                    published.count.withLock { $0 += 1 }
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                try await eventually { published.count.withLock { $0 > 100 } }

                let roster = FeedRoster()
                roster.catchUp(target.feed(of: source, pageSize: 16))
                // Binding takes its time, and events go by unheard meanwhile.
                let isDone = await roster.handOver {
                    let before = published.count.withLock { $0 }
                    let all = Self.subjects * Self.perSubject
                    try? await eventually { published.count.withLock { $0 > before + 20 || $0 == all } }
                    queue.bind()
                }
                #expect(isDone)
                let consuming = Task {
                    let pause = Signal()
                    while !Task.isCancelled {
                        let burst = queue.take(10).map { target.message($0) }
                        if burst.isEmpty { await pause.wait(until: .now + .milliseconds(1)) }
                        await target.inbox.receive(burst)
                    }
                }
                try await publishing.value
                let all = Self.subjects * Self.perSubject
                try? await eventually { try await target.effects().count >= all }
                source.forwarder.finish()
                await forwarding.value
                try? await eventually { queue.isEmpty }
                consuming.cancel()
                await consuming.value
                await target.inbox.drained()
                return try await target.effects()
            }
        }
    }

    private func check(_ effects: [Int]) {
        for subject in 0..<Self.subjects {
            let own = effects.filter { $0 / 1000 == subject }
            #expect(own == (1...Self.perSubject).map { subject * 1000 + $0 })
        }
    }

    @Test func `with nothing missed, nothing done twice, and each subject in order`() async throws {
        check(try await run { _, _ in false })
    }

    @Test func `also while handlers fail and are tried again`() async throws {
        check(try await run { number, attempt in number % 7 == 3 && attempt < 3 })
    }

    @Test func `a feed that cannot go on keeps the queue closed`() async throws {
        try await withBench { source async throws in
            try await withBench { target async throws in
                target.recordEffects()
                let refusing = LogTransport(log: source.eventLog) { _ in throw FeedError.gone(through: 5) }
                let roster = FeedRoster()
                roster.catchUp(target.feed(over: refusing))
                #expect(await roster.handOver {} == false)
                #expect(roster.problems.map(\.check) == ["feed.source"])
            }
        }
    }

    @Test
    func `a source that is away keeps the queue of a catch-up closed, and leaves a service that follows it ready`()
        async throws
    {
        try await withBench { source async throws in
            try await withBench { target async throws in
                let away = LogTransport(log: source.eventLog) { _ in throw FeedError.unavailable("it is away") }
                for isFollowed in [true, false] {
                    let roster = FeedRoster()
                    let feed = target.feed(over: away)
                    if isFollowed { roster.follow(feed) } else { roster.catchUp(feed) }
                    let running = Task {
                        if isFollowed { await roster.run() } else { _ = await roster.handOver {} }
                    }
                    try await eventually { feed.isAway }
                    #expect(roster.problems.map(\.check) == ["feed.source"])
                    #expect(roster.away == (isFollowed ? ["feed.source"] : []))
                    running.cancel()
                    await running.value
                }
                let gone = LogTransport(log: source.eventLog) { _ in throw FeedError.gone(through: 5) }
                let roster = FeedRoster()
                roster.follow(target.feed(over: gone))
                let running = Task { await roster.run() }
                try await eventually { roster.problems.map(\.check) == ["feed.source"] }
                #expect(roster.away == [], "that does not pass by itself")
                running.cancel()
                await running.value
            }
        }
    }
}
