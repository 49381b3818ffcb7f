import AMQP
import AMQPInMemory
import Database
import Events
import Synchronization
import Telemetry
import Testing

@testable import Messaging

extension InMemoryPublisher: PublishingConnection {}

@Suite("The search for what the broker closes the channel over")
struct CulpritSearchTests {
    /// Plays the broker: tells which is culprit, and counts the closings.
    private func search(
        _ items: [Int],
        for culprits: Set<Int>,
        hints: Bool
    ) -> (found: [Int], passed: [Int], closings: Int) {
        var search = CulpritSearch<Int> { item, _ in hints && culprits.contains(item) }
        let closing = AMQPError(code: .connectionLost, reason: "closed", channelClose: 406)
        for item in items { search.suspect(item, closing) }
        var found: [Int] = []
        var passed: [Int] = []
        var closings = 1
        while search.isActive {
            let group = search.begin()
            // The broker deals with them in their order, and confirms nothing behind the culprit.
            let isClosed = group.contains(where: culprits.contains)
            if isClosed { closings += 1 }
            var isOver = false
            for item in group {
                isOver = isOver || culprits.contains(item)
                let verdict = isOver ? search.returned(item, closing) : search.settled()
                if !isOver { passed.append(item) }
                if let culprit = verdict?.culprit { found.append(culprit.item) }
            }
        }
        return (found, passed, closings)
    }

    @Test("finds the one among a thousand by few closings, and passes every other once", arguments: [0, 1, 499, 999])
    func one(_ culprit: Int) {
        let result = search(Array(0..<1_000), for: [culprit], hints: false)
        #expect(result.found == [culprit])
        #expect(result.passed.sorted() == (0..<1_000).filter { $0 != culprit })
        #expect(result.closings <= 13)
    }

    @Test("takes one more closing where the broker says whom it means")
    func hint() {
        let result = search(Array(0..<1_000), for: [700], hints: true)
        #expect(result.found == [700])
        #expect(result.passed.count == 999)
        #expect(result.closings == 2)
    }

    @Test("finds several", arguments: [false, true])
    func several(_ hints: Bool) {
        let culprits: Set<Int> = [3, 4, 90]
        let result = search(Array(0..<100), for: culprits, hints: hints)
        #expect(Set(result.found) == culprits)
        #expect(result.passed.count == 97)
    }

    @Test("charges nobody for a connection that is lost, and tries them again")
    func lost() {
        var search = CulpritSearch<Int> { _, _ in false }
        search.suspect(1, AMQPError(code: .connectionLost, reason: "closed", channelClose: 403))
        #expect(search.begin() == [1])
        let verdict = search.returned(1, AMQPError(code: .connectionLost, reason: "cut"))
        #expect(verdict?.culprit == nil)
        #expect(verdict?.isConnected == false)
        #expect(search.begin() == [1])
        #expect(search.settled() != nil)
        #expect(!search.isActive)
    }

    @Test("takes for innocent what the broker neither confirms nor closes the channel over")
    func silence() {
        var search = CulpritSearch<Int> { _, _ in false }
        for item in [1, 2] { search.suspect(item, AMQPError(code: .connectionLost, reason: "", channelClose: 403)) }
        #expect(search.begin() == [1, 2])
        #expect(search.begin().isEmpty)
        #expect(search.timedOut(search.trial + 1) == nil)
        #expect(search.timedOut(search.trial)?.isConnected == true)
        #expect(!search.isActive)
    }
}

@Suite("What the broker is known to refuse")
struct KnownRefusalTests {
    private func publication(_ key: String, size: Int) -> Publication {
        Publication(exchange: "e", routingKey: key, message: Message(body: [UInt8](repeating: 1, count: size)))
    }

    private let forbidden = AMQPError(code: .accessRefused, reason: "403 access to topic 'a' in", channelClose: 403)
    private let large = AMQPError(
        code: .preconditionFailed,
        reason: "406 message size 100 is larger",
        channelClose: 406
    )

    @Test("is refused for its like, until somebody may try again")
    func patience() {
        var known = KnownRefusals()
        let now = ContinuousClock.now
        known.learn(publication("a", size: 1), forbidden, at: now)
        known.learn(publication("b", size: 100), large, at: now)
        #expect(known.refusal(of: publication("a", size: 1), at: now, patience: .seconds(5)) == forbidden)
        #expect(known.refusal(of: publication("b", size: 99), at: now, patience: .seconds(5)) == nil)
        #expect(known.refusal(of: publication("c", size: 101), at: now, patience: .seconds(5)) == large)
        #expect(known.refusal(of: publication("a", size: 1), at: now + .seconds(5), patience: .seconds(5)) == nil)
    }

    @Test("is forgotten when the broker takes its like")
    func forgotten() {
        var known = KnownRefusals()
        let now = ContinuousClock.now
        known.learn(publication("a", size: 1), forbidden, at: now)
        known.learn(publication("b", size: 100), large, at: now)
        known.forget(publication("a", size: 10))
        #expect(!known.isEmpty)
        known.forget(publication("c", size: 100))
        #expect(known.isEmpty)
        known.learn(publication("a", size: 1), forbidden, at: now)
        known.forgetOld(at: now + .seconds(59), patience: .seconds(60))
        #expect(!known.isEmpty)
        known.forgetOld(at: now + .seconds(60), patience: .seconds(60))
        #expect(known.isEmpty)
    }

    @Test("a user without any right to the exchange is no event's fault")
    func exchange() {
        let error = AMQPError(
            code: .accessRefused,
            reason: "403 ACCESS_REFUSED - access to exchange 'warren.events' in vhost '/' refused for user 'u'",
            channelClose: 403
        )
        #expect(!error.isOverOne(of: publication("a", size: 1)))
        #expect(forbidden.isOverOne(of: publication("a", size: 1)))
        #expect(
            !AMQPError(code: .connectionLost, reason: "", channelClose: 404).isOverOne(of: publication("a", size: 1))
        )
        #expect(!AMQPError(code: .connectionLost, reason: "").isOverOne(of: publication("a", size: 1)))
    }
}

/// A desk on a broker in memory, with one queue that is bound to all types.
private struct DeskBench {
    let network: InMemoryNetwork
    let publisher: InMemoryPublisher
    let desk: PublishingDesk
    let topology: BrokerTopology

    init(_ options: InMemoryBroker.Options = .init()) {
        network = InMemoryNetwork(.automatic, options)
        topology = Topology([.init("tested", to: ["a", "b"])]).declarations(queueType: .quorum, mode: .declare)
        publisher = network.makePublisher(topology: topology)
        desk = PublishingDesk(
            publisher,
            subscribedTypes: ["a", "b"],
            declares: true,
            stalled: StalledTypes(timeout: .seconds(30), counters: CounterBox(), logger: .silent),
            logger: .silent
        )
    }

    func publication(_ id: Int, type: String = "a", size: Int = 10) -> Publication {
        var properties = MessageProperties()
        properties.messageID = "\(id)"
        let message = Message(body: [UInt8](repeating: 1, count: size), properties: properties)
        return Publication(exchange: Topology.exchange, routingKey: type, message: message)
    }

    /// Runs the desk beside the body.
    func running(_ body: () async throws -> Void) async throws {
        let running = Task { await desk.run() }
        defer { running.cancel() }
        for await state in desk.states where state == .ready { break }
        try await body()
        running.cancel()
        await running.value
    }

    /// What becomes of a burst.
    func outcomes(of burst: [Publication]) async throws -> [AMQPError.Code?] {
        let outcomes = Mutex<[Int: AMQPError.Code?]>([:])
        desk.submit(burst) { index, error in outcomes.withLock { $0[index] = .some(error?.code) } }
        try await eventually { outcomes.withLock { $0.count } == burst.count }
        return outcomes.withLock { outcomes in burst.indices.map { outcomes[$0] ?? nil } }
    }

    var arrived: [String] {
        network.withBroker { $0.readyMessages(of: "tested").compactMap(\.properties.messageID) }
    }
}

@Suite("The publishing desk", .timeLimit(.minutes(2)))
struct PublishingDeskTests {
    @Test("refuses the one event that is larger than the broker takes, and the others go out")
    func tooLarge() async throws {
        var options = InMemoryBroker.Options()
        options.maximumMessageSize = 1_500
        let bench = DeskBench(options)
        try await bench.running { () async throws in
            let burst = (0..<50).map { bench.publication($0, size: $0 == 17 ? 3_370 : 10) }
            let outcomes = try await bench.outcomes(of: burst)
            #expect(outcomes.enumerated().filter { $0.element != nil }.map(\.offset) == [17])
            #expect(outcomes[17] == .preconditionFailed)
            #expect(Set(bench.arrived) == Set((0..<50).filter { $0 != 17 }.map(String.init)))
            // Its like is not tried, so that it interrupts nobody.
            let connections = bench.publisher.statistics.connections
            let next = try await bench.outcomes(of: [bench.publication(50, size: 4_000), bench.publication(51)])
            #expect(next == [.preconditionFailed, nil])
            #expect(bench.publisher.statistics.connections == connections)
        }
    }

    @Test("refuses the events of a type that the user may not publish, at the cost of two connections")
    func forbidden() async throws {
        var options = InMemoryBroker.Options()
        options.forbiddenRoutingKeys = ["b"]
        let bench = DeskBench(options)
        try await bench.running { () async throws in
            let burst = (0..<60).map { bench.publication($0, type: $0.isMultiple(of: 3) ? "b" : "a") }
            let outcomes = try await bench.outcomes(of: burst)
            for (index, outcome) in outcomes.enumerated() {
                #expect(outcome == (index.isMultiple(of: 3) ? .accessRefused : nil))
            }
            #expect(bench.publisher.statistics.connections == 3)
        }
    }

    @Test("has the topology declared again, once, for all events that came back, and they go again")
    func unbound() async throws {
        let bench = DeskBench()
        try await bench.running { () async throws in
            let binding = try #require(bench.topology.bindings.first { $0.routingKey == "a" })
            bench.network.withBroker { $0.unbind(binding) }
            let outcomes = try await bench.outcomes(of: (0..<20).map { bench.publication($0) })
            #expect(outcomes.allSatisfy { $0 == nil })
            #expect(Set(bench.arrived) == Set((0..<20).map(String.init)))
            // The publisher's was the first, that of the declaration the second.
            let next = try bench.network.withBroker { broker in
                let id = try broker.connect()
                defer { broker.disconnect(id) }
                return id.number
            }
            #expect(next == 3)
        }
    }

    @Test("refuses what comes back although the topology has just been declared, and what nobody binds")
    func unroutable() async throws {
        let bench = DeskBench()
        try await bench.running { () async throws in
            #expect(try await bench.outcomes(of: [bench.publication(1, type: "c")]) == [.returned])
            let bindings = bench.topology.bindings.filter { $0.routingKey == "a" }
            bench.network.withBroker { broker in for binding in bindings { broker.unbind(binding) } }
            #expect(try await bench.outcomes(of: [bench.publication(2)]) == [nil])
            bench.network.withBroker { broker in for binding in bindings { broker.unbind(binding) } }
            #expect(try await bench.outcomes(of: [bench.publication(3)]) == [.returned])
        }
    }

    @Test("holds no event guilty of what the user may do to none, not even one that is on trial")
    func noRightAtAll() async throws {
        let bench = DeskBench()
        try await bench.running { () async throws in
            bench.network.withBroker { broker in
                broker.options.forbiddenRoutingKeys = ["b"]
                broker.options.forbidsExchanges = true
            }
            #expect(
                try await bench.outcomes(of: [bench.publication(1), bench.publication(2)]) == [
                    .connectionLost, .connectionLost,
                ]
            )
            #expect(bench.desk.problem?.contains("access to exchange 'warren.events'") == true)
            bench.network.withBroker { $0.options.forbidsExchanges = false }
            #expect(try await bench.outcomes(of: [bench.publication(1)]) == [nil])
            #expect(bench.desk.problem == nil)
        }
    }

    @Test("lets everything wait, and says why, where the broker calls the connection's user by another name")
    func otherUser() async throws {
        let bench = DeskBench()
        try await bench.running { () async throws in
            bench.network.withBroker { $0.options.user = "of the token" }
            #expect(
                try await bench.outcomes(of: [bench.publication(0), bench.publication(1, type: "b")]) == [
                    .connectionLost, .connectionLost,
                ]
            )
            #expect(bench.desk.problem?.contains("user_id") == true)
            bench.network.withBroker { $0.options.user = "guest" }
            #expect(try await bench.outcomes(of: [bench.publication(2)]) == [nil])
            #expect(bench.desk.problem == nil)
        }
    }

    @Test("leaves nobody without an outcome when it ends in the middle of a search")
    func end() async throws {
        let bench = DeskBench()
        try await bench.running { () async throws in
            bench.network.withBroker { $0.options.queuesWithoutMajority = ["tested"] }
            let outcomes = Mutex(0)
            bench.desk.submit((0..<10).map { bench.publication($0) }) { _, _ in outcomes.withLock { $0 += 1 } }
            bench.network.withBroker { $0.options.forbiddenRoutingKeys = ["b"] }
            bench.desk.submit([bench.publication(11, type: "b")]) { _, _ in outcomes.withLock { $0 += 1 } }
            try await eventually { outcomes.withLock { $0 } >= 1 }
        }
    }
}
