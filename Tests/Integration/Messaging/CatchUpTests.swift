import Messaging
import TestSupport
import Testing

/// Asks a service in this process for its events.
private struct DirectTransport: FeedTransport {
    let log: EventLog

    func page(_ request: FeedRequest) async throws -> FeedPage {
        var query = EventLogQuery()
        query.after = request.after
        query.limit = request.limit
        query.types = request.types
        let page = try await log.page(query, wait: request.wait)
        return FeedPage(batch: page.envelopes, next: page.next, head: page.head)
    }
}

@Suite("A subscriber that is newer than the events", .timeLimit(.minutes(5)))
struct CatchUpTests {
    @Test("catches up by feed and goes on with its queue: nothing missed, nothing twice, in order")
    func handover() async throws {
        try await withVirtualHost { url, _, folder in
            // So far nobody listens to what is asked, and the broker drops it.
            let asker = try await Part(
                "asker",
                in: folder,
                broker: url,
                topology: Topology([.init("asker", to: [Answered.type])])
            )
            let before = 300
            for number in 1...before { try await asker.append(Asked(subject: "one", number: number)) }
            try await eventually("all to be forwarded") { try await asker.messaging.backlog().unforwarded == 0 }
            let all = before + 600
            let asking = Task {
                for number in before + 1...all { try await asker.append(Asked(subject: "one", number: number)) }
            }
            let log = asker.messaging.eventLog
            let answerer = try await Part(
                "answerer",
                in: folder,
                broker: url,
                handlers: { $0.record(Asked.self, number: \.number) },
                feeds: { $0.catchUp(with: $0.feed("asker", over: DirectTransport(log: log))) }
            )
            try await asking.value
            try await eventually("the effects") { try await answerer.effects().count >= all }
            #expect(try await answerer.effects() == Array(1...all))
            #expect(answerer.messaging.problems().isEmpty)
            await answerer.stop()
            await asker.stop()
        }
    }

    @Test("follows a source without a queue, over a restart of its own")
    func following() async throws {
        try await withVirtualHost { url, _, folder in
            let topology = Topology([.init("asker", to: [Answered.type]), .init("answerer", to: [])])
            let asker = try await Part("asker", in: folder, broker: url, topology: topology)
            let log = asker.messaging.eventLog
            func start() async throws -> Part {
                try await Part(
                    "answerer",
                    in: folder,
                    broker: url,
                    topology: topology,
                    handlers: { $0.record(Asked.self, number: \.number) },
                    feeds: { $0.follow($0.feed("asker", over: DirectTransport(log: log))) }
                )
            }
            for number in 1...40 { try await asker.append(Asked(subject: "one", number: number)) }
            var answerer = try await start()
            try await eventually("the effects") { try await answerer.effects().count == 40 }
            await answerer.stop()
            for number in 41...60 { try await asker.append(Asked(subject: "one", number: number)) }
            answerer = try await start()
            try await eventually("the effects") { try await answerer.effects() == Array(1...60) }
            await answerer.stop()
            await asker.stop()
        }
    }
}
