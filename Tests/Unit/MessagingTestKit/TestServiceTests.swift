import Database
import Events
import Messaging
import MessagingTestKit
import Synchronization
import Testing

/// What others say.
private struct OrderPaid: Event {
    static let type: EventType = "com.example.order.paid"
    var orderID: String
    var amount: Int64
    var subject: String { orderID }
}

/// What the service under test says.
private struct PointsGranted: Event, Equatable {
    static let type: EventType = "com.example.points.granted"
    var orderID: String
    var points: Int64
    var subject: String { orderID }
}

private let points = MigrationSet("points", [.init("points", "CREATE TABLE points (orderID TEXT NOT NULL, n INTEGER)")])

private struct Away: Error {}

@Suite("A service under test", .timeLimit(.minutes(5)))
struct TestServiceTests {
    private static func grant(_ event: OrderPaid, _ delivery: Delivery) async throws {
        try await delivery.commit { transaction in
            try transaction.execute("INSERT INTO points VALUES ($1, $2)", event.orderID, event.amount / 100)
            try transaction.append(PointsGranted(orderID: event.orderID, points: event.amount / 100))
        }
    }

    @Test("handles what it hears and publishes what its handlers append, in a few lines")
    func promise() async throws {
        try await withTestService("loyalty", hears: [OrderPaid.type], migrations: [points]) { service in
            service.subscriber.on(OrderPaid.self) { try await Self.grant($0, $1) }
        } test: { service in
            try await service.receive(OrderPaid(orderID: "o-1", amount: 1900))
            #expect(try await service.published(PointsGranted.self) == [PointsGranted(orderID: "o-1", points: 19)])
            #expect(try await service.deadLetters().isEmpty)
        }
    }

    @Test("handles one event once, however often it comes")
    func duplicate() async throws {
        try await withTestService("loyalty", hears: [OrderPaid.type], migrations: [points]) { service in
            service.subscriber.on(OrderPaid.self) { try await Self.grant($0, $1) }
        } test: { service in
            for _ in 0..<3 { try await service.receive(OrderPaid(orderID: "o-1", amount: 1900), id: "one") }
            #expect(try await service.published(PointsGranted.self).count == 1)
            let envelope = try #require(try await service.envelopes().first)
            #expect(envelope.causationID == "one" && envelope.source == "/loyalty-service")
        }
    }

    @Test("tries again when the test lets time pass, and not before; six times, as it would in earnest")
    func retries() async throws {
        let attempts = Mutex(0)
        try await withTestService("loyalty", hears: [OrderPaid.type]) { service in
            service.subscriber.on(OrderPaid.self) { _, _ in
                attempts.withLock { $0 += 1 }
                throw Away()
            }
        } test: { service in
            try await service.receive(OrderPaid(orderID: "o-1", amount: 1))
            #expect(attempts.withLock { $0 } == 1)
            #expect(try await service.backlog().scheduled == 1)
            try await service.advance(by: .seconds(3600))
            #expect(attempts.withLock { $0 } == 2)
            while try await service.advanceToNextDue() != nil {}
            #expect(attempts.withLock { $0 } == 6)
            let letter = try #require(try await service.deadLetters().first)
            #expect(letter.errorClass == "Away")
            try await service.retry(letter)
            #expect(attempts.withLock { $0 } == 7)
        }
    }

    @Test("is told that an event does not reach it")
    func unheard() async throws {
        try await withTestService("loyalty", hears: [OrderPaid.type]) { _ in
        } test: { service in
            let error = await #expect(throws: TestServiceError.self) {
                try await service.receive(PointsGranted(orderID: "o-1", points: 1))
            }
            #expect(error?.description.contains("com.example.points.granted") == true)
        }
    }

    @Test("publishes what the test appends, under the identity that append gives")
    func append() async throws {
        try await withTestService("loyalty") { _ in
        } test: { service in
            let identities = try await service.events.write { transaction in
                try (1...2).map { try transaction.append(PointsGranted(orderID: "o-1", points: $0)) }
            }
            try await service.settle()
            let envelopes = try await service.envelopes()
            #expect(identities.map(\.id) == envelopes.map(\.id))
            #expect(identities.map(\.sequence) == [1, 2])
            #expect(identities.allSatisfy { $0.source == "/loyalty-service" && $0.subject == "o-1" })
            #expect(try await service.backlog().unforwarded == 0)
        }
    }

    @Test("ends its messaging and closes its database when the test throws")
    func failingTest() async throws {
        await #expect(throws: Away.self) {
            try await withTestService("loyalty", hears: [OrderPaid.type]) { _ in
            } test: { _ in
                throw Away()
            }
        }
    }
}
