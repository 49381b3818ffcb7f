import HTTP
import Messaging
import MessagingTestKit
import ShopEvents
import Telemetry
import TestSupport
import Testing

@testable import Notification

@Suite("Mails and a server that takes its time", .timeLimit(.minutes(5)))
struct MailScheduleTests {
    private static let types = [OrderConfirmed.type, OrderRejected.type]

    private static func confirmed(_ number: Int, to address: String) -> OrderConfirmed {
        OrderConfirmed(
            orderID: "o-\(number)",
            customer: Customer(email: address, name: "Ada"),
            total: Money(amount: 1300, currency: "EUR")
        )
    }

    private func withService(
        connections: Int = 4,
        limit: Int = 0,
        _ body: (TestService, MailSink) async throws -> Void
    ) async throws {
        try await MailSink.with { sink in
            let client = try SMTPClient(url: sink.url, timeout: .seconds(60), connectTimeout: .seconds(60))
            defer { client.close() }
            try await withTestService(
                "notification",
                hears: Self.types,
                migrations: [MailStore.migrations],
                ordering: .none,
                retryPolicy: .mail
            ) { service in
                try NotificationHandlers.usual(client, connections: connections, limit: limit)
                    .register(on: service.subscriber)
            } test: { service in
                try await body(service, sink)
            }
        }
    }

    /// Has the service get many mails at once, each to an address of its own.
    private func receive(_ count: Int, _ service: TestService) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask {
                    try await service.receive(Self.confirmed(number, to: "customer-\(number)@example.com"))
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("A server that greylists for a quarter of an hour and takes two connections gets each of 150 mails once")
    func greylisted() async throws {
        try await withService { service, sink in
            try await sink.behave(greylist: 86_400, connections: 2)
            try await receive(150, service)
            for _ in 0..<15 { try await service.advance(by: .seconds(60)) }
            #expect(try await sink.mails().isEmpty)
            #expect(try await service.deadLetters().isEmpty)
            // The quarter of an hour is over.
            try await sink.behave(connections: 2)
            var more = 0
            while try await sink.mails().count < 150, more < 20 {
                try await service.advance(by: .seconds(240))
                more += 1
            }
            #expect(Set(try await sink.mails().map(\.messageID)).count == 150)
            #expect(try await sink.mails().count == 150, "one was sent twice")
            #expect(try await service.deadLetters().isEmpty)
            let connections = try await sink.connections()
            #expect(connections.peak <= 2)
            #expect(connections.refused < 20, "it was not learnt that there are two: \(connections)")
        }
    }

    @Test("A few connections take all mails")
    func reused() async throws {
        try await withService { service, sink in
            try await receive(100, service)
            #expect(try await sink.mails().count == 100)
            let connections = try await sink.connections()
            #expect(connections.peak <= 4 && connections.taken <= 8, "\(connections)")
        }
    }

    @Test("What the server refuses for good is a dead letter at once, with the server's words")
    func refused() async throws {
        try await withService { service, sink in
            try await sink.behave(refusing: 550)
            try await service.receive(Self.confirmed(1, to: "ada@example.com"))
            let dead = try #require(try await service.deadLetters().first)
            #expect(dead.errorClass == "mail.refused")
            #expect(dead.errorMessage.contains("550 Refused by the mail sink, as it was told to"))
            #expect(!dead.errorMessage.contains("ada@"))
        }
    }

    @Test("The mails of an address beyond those of the hour wait, others do not")
    func limited() async throws {
        try await withService(limit: 2) { service, sink in
            for number in 0..<4 { try await service.receive(Self.confirmed(number, to: "ada@example.com")) }
            try await service.receive(Self.confirmed(9, to: "grace@example.com"))
            #expect(
                try await sink.mails().map(\.to) == ["ada@example.com", "ada@example.com", "grace@example.com"]
            )
            #expect(try await service.deadLetters().isEmpty)
            #expect(try await service.backlog().scheduled == 2)
        }
    }

    @Test("A mail that was not taken is none of the hour's")
    func givenBack() async throws {
        try await withService(limit: 1) { service, sink in
            try await sink.behave(refusing: 550)
            try await service.receive(Self.confirmed(1, to: "ada@example.com"))
            try await sink.behave()
            try await service.receive(Self.confirmed(2, to: "ada@example.com"))
            #expect(try await sink.mails().count == 1)
        }
    }

    @Test("The schedule goes on for a day or more, and a quarter of an hour is six attempts or more of it")
    func schedule() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var passed = Duration.zero
            var within = 0
            var attempt = 1
            while let pause = RetryPolicy.mail.pause(
                afterAttempt: attempt,
                random: Double.random(in: 0...1, using: &random)
            ) {
                passed += pause
                attempt += 1
                if passed <= .seconds(900) { within += 1 }
            }
            #expect(passed > .seconds(22 * 3600))
            #expect(within >= 5)
        }
    }
}

@Suite("Connections to a mail server")
struct MailConnectionTests {
    private static func first(_ id: Int) -> MailConnections.Request { .init(id: id, isRetry: false) }
    private static func retry(_ id: Int) -> MailConnections.Request { .init(id: id, isRetry: true) }

    @Test("A first attempt never waits for retries, however many there are")
    func newestFirst() {
        var connections = MailConnections(most: 3)
        for id in 0..<10 { _ = connections.ask(Self.retry(id), at: 0) }
        #expect(connections.inUse == 2, "one is left to first attempts")
        #expect(connections.ask(Self.first(10), at: 0) == [Self.first(10)])
        #expect(connections.ask(Self.first(11), at: 0) == [])
        // It is the next, though ten retries have waited for longer.
        #expect(connections.ended(Self.retry(0), at: 0) == [Self.first(11)])
    }

    @Test("Retries have a turn under a load of first attempts")
    func fairness() {
        var connections = MailConnections(most: 1)
        #expect(connections.ask(Self.first(0), at: 0) == [Self.first(0)])
        #expect(connections.ask(Self.retry(100), at: 0) == [])
        for id in 1...20 { #expect(connections.ask(Self.first(id), at: 0) == []) }
        var at = Self.first(0)
        var order: [Int] = []
        for _ in 0..<21 {
            let granted = connections.ended(at, at: 0)
            #expect(granted.count == 1)
            at = granted.first ?? at
            order.append(at.id)
        }
        #expect(order == Array(1...8) + [100] + Array(9...20))
        #expect(connections.ended(at, at: 0) == [])
        #expect(connections.inUse == 0)
    }

    @Test("A server that refuses connections gets as many as it took, and after a while one more")
    func fewer() {
        var connections = MailConnections(most: 4)
        for id in 0..<6 { _ = connections.ask(Self.first(id), at: 0) }
        #expect(connections.inUse == 4)
        #expect(connections.refused(Self.first(0), at: 1) == (true, []))
        #expect(connections.refused(Self.first(1), at: 2) == (true, []))
        #expect(connections.allowed == 2)
        #expect(connections.ended(Self.first(2), at: 3) == [Self.first(4)])
        let later = 2 + MailConnections.growth
        #expect(connections.ended(Self.first(3), at: later) == [Self.first(5)])
        #expect(connections.allowed == 3)
        #expect(connections.ask(Self.first(6), at: later) == [Self.first(6)])
        #expect(connections.ask(Self.first(7), at: later + 1) == [])
    }

    @Test("The only connection that is refused is asked for again later, not at once")
    func alone() {
        var connections = MailConnections(most: 4)
        _ = connections.ask(Self.first(0), at: 0)
        #expect(connections.refused(Self.first(0), at: 1) == (false, []))
        #expect(connections.allowed == 1)
        #expect(connections.inUse == 0)
    }

    @Test("Who waits no more gets no connection")
    func left() {
        var connections = MailConnections(most: 1)
        _ = connections.ask(Self.first(0), at: 0)
        _ = connections.ask(Self.first(1), at: 0)
        connections.leave(Self.first(1))
        #expect(connections.ended(Self.first(0), at: 0) == [])
    }

    @Test("A mail waits for a connection so long and no longer, and a cancelled one not at all")
    func desk() async throws {
        let desk = MailDesk(connections: 1, patience: .milliseconds(20), logger: .silent)
        try await desk.hand(isRetry: false) {
            await #expect(throws: MailDesk.Busy.self) { try await desk.hand(isRetry: false) {} }
            let waiting = Task { try await desk.hand(isRetry: true) {} }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        try await desk.hand(isRetry: false) {}
    }

    @Test("A mail whose connection was one too many waits for another one")
    func again() async throws {
        let desk = MailDesk(connections: 2, logger: .silent)
        let tooMany = SMTPFailure(replyCode: 421, reason: "too many")
        let (inside, entered) = AsyncStream.makeStream(of: Void.self)
        let (allowed, finish) = AsyncStream.makeStream(of: Void.self)
        async let other: Void = desk.hand(isRetry: false) {
            entered.yield()
            for await _ in allowed { break }
        }
        for await _ in inside { break }
        var attempts = 0
        try await desk.hand(isRetry: false) {
            attempts += 1
            guard attempts > 1 else {
                // The other one leaves, and this one gets its place.
                finish.yield()
                throw tooMany
            }
        }
        try await other
        #expect(attempts == 2)
        #expect(desk.allowed == 1)
        // With no other there is nothing to wait for.
        attempts = 0
        await #expect(throws: SMTPFailure.self) {
            try await desk.hand(isRetry: false) {
                attempts += 1
                throw tooMany
            }
        }
        #expect(attempts == 1)
    }
}

@Suite("Mails of one address")
struct RecipientLimitTests {
    @Test("go so many within an hour, wherever the hour begins; then one as each is an hour old")
    func window() {
        var limit = RecipientLimit(most: 2)
        let hour = RecipientLimit.span
        #expect(limit.take("a@x", at: 0) == nil)
        #expect(limit.take("A@X", at: 10) == nil)
        #expect(limit.take("a@x", at: 20) == hour)
        #expect(limit.take("b@x", at: 20) == nil)
        #expect(limit.take("a@x", at: hour - 1) == hour)
        #expect(limit.take("a@x", at: hour) == nil)
        #expect(limit.take("a@x", at: hour) == hour + 10)
        limit.giveBack("a@x", takenAt: hour)
        #expect(limit.take("a@x", at: hour + 1) == nil)
    }

    @Test("are not counted where there is no limit, and forgotten after the hour")
    func forgotten() {
        var none = RecipientLimit(most: 0)
        for _ in 0..<1_000 { #expect(none.take("a@x", at: 0) == nil) }
        var limit = RecipientLimit(most: 1)
        for number in 0..<5_000 { _ = limit.take("\(number)@x", at: Int64(number) * 10_000) }
        #expect(limit.count <= 1_000)
        // A clock that was set back.
        #expect(limit.take("4999@x", at: 0) == nil)
    }
}
