import Database
import Events
import Foundation
import Messaging
import Telemetry
import TestSupport

/// Asked by one service of the other.
struct Asked: Event, Equatable {
    static let type: EventType = "dev.warren.test.asked"
    var subject: String
    var number: Int
}

/// What the other one says to it.
struct Answered: Event, Equatable {
    static let type: EventType = "dev.warren.test.answered"
    var subject: String
    var number: Int
}

/// One service's database and messaging in this process.
struct Part {
    let name: String
    let database: Database
    let messaging: MessagingRuntime
    private let running: Task<Void, Never>

    static let topology = Topology([.init("asker", to: [Answered.type]), .init("answerer", to: [Asked.type])])

    init(
        _ name: String,
        in folder: TemporaryFolder,
        broker: String,
        grace: Duration = .seconds(60),
        role: MessagingRole = .publishesAndConsumes,
        topology: Topology = Part.topology,
        confirmTimeout: Duration = .seconds(30),
        queueType: MessagingConfiguration.QueueType = .quorum,
        handlers: (Subscriber) -> Void = { _ in },
        feeds: (MessagingRuntime) -> Void = { _ in }
    ) async throws {
        self.name = name
        database = try await Database.open(
            "sqlite:\(folder.file("\(name).db").path)",
            migrations: [
                MessagingRuntime.migrations,
                MigrationSet("test", [.init("effects", "CREATE TABLE effects (number INTEGER NOT NULL)")]),
            ],
            logger: testLogger
        )
        var configuration = MessagingConfiguration(
            service: name,
            source: "/\(name)",
            brokerURLs: [broker],
            topology: topology
        )
        configuration.queueType = queueType
        configuration.role = role
        configuration.retryPolicy = RetryPolicy(attempts: 3, base: .milliseconds(10), factor: 2, cap: .milliseconds(50))
        configuration.confirmTimeout = confirmTimeout
        let messaging = try MessagingRuntime(configuration, database: database, logger: testLogger)
        self.messaging = messaging
        handlers(messaging.subscriber)
        feeds(messaging)
        running = Task { await messaging.run(grace: grace) }
    }

    func stop() async {
        running.cancel()
        await running.value
        await database.close()
    }

    func append(_ event: some Event) async throws {
        try await messaging.events.write { try $0.append(event) }
    }

    func effects() async throws -> [Int] {
        try await database.read { transaction in
            try transaction.query("SELECT number FROM effects ORDER BY rowid").map { try $0[0] }
        }
    }
}

extension Subscriber {
    /// Records each event's number as its effect.
    func record<E: Event>(_ type: E.Type, number: @escaping @Sendable (E) -> Int) {
        on(E.self) { event, delivery in
            try await delivery.commit { transaction in
                try transaction.execute("INSERT INTO effects (number) VALUES ($1)", number(event))
            }
        }
    }

    /// Answers each question in the transaction of its receipt.
    func answer() {
        on(Asked.self) { event, delivery in
            try await delivery.commit { transaction in
                try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                try transaction.append(Answered(subject: event.subject, number: event.number))
            }
        }
    }
}

/// Lends a virtual host of the common broker and a folder.
func withVirtualHost(
    _ body: (_ url: String, _ virtualHost: String, _ folder: TemporaryFolder) async throws -> Void
) async throws {
    let name = TestEnvironment.uniqueName("messaging")
    let management = try BrokerManagement.shared
    try await management.makeVirtualHost(name)
    let folder = try TemporaryFolder("messaging")
    do {
        try await body(try TestEnvironment.brokerURL + name, name, folder)
    } catch {
        try await management.removeVirtualHost(name)
        throw error
    }
    try await management.removeVirtualHost(name)
}

/// `WARREN_TEST_LOG=1` shows what the services log.
private let testLogger =
    ProcessInfo.processInfo.environment["WARREN_TEST_LOG"] == nil
    ? Logger.silent : Logger("test", level: .debug, sink: StandardErrorLogSink(format: .text))
