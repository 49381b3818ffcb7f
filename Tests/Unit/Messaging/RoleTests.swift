import AMQP
import Database
import Events
import Foundation
import Synchronization
import Telemetry
import Testing

@testable import Messaging

@Suite("A service that only publishes, or only consumes", .timeLimit(.minutes(5)))
struct RoleTests {
    private func withRuntime(
        _ role: MessagingRole,
        _ body: (MessagingRuntime) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("warren-\(UUIDv7.make())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try await Database.open(
            "sqlite:\(folder.appendingPathComponent("test.db").path)",
            migrations: [MessagingRuntime.migrations],
            logger: .silent
        )
        // Nobody listens on port 1: what would connect says that it cannot.
        var configuration = MessagingConfiguration(
            service: "tested",
            source: "/tested",
            brokerURLs: ["amqp://127.0.0.1:1/"],
            topology: Topology([.init("tested", to: [Happened.type])])
        )
        configuration.role = role
        let runtime = try MessagingRuntime(configuration, database: database, logger: .silent)
        let running = Task { await runtime.run(grace: .seconds(5)) }
        do {
            try await body(runtime)
        } catch {
            running.cancel()
            throw error
        }
        running.cancel()
        await running.value
        await database.close()
    }

    @Test(
        "has the connections of its role, and no other",
        arguments: [
            (MessagingRole.publishesAndConsumes, ["broker.publisher", "broker.consumer", "broker.dead-letters"]),
            (.publishesOnly, ["broker.publisher"]), (.consumesOnly, ["broker.consumer", "broker.dead-letters"]),
        ]
    )
    func connections(role: MessagingRole, checks: [String]) async throws {
        try await withRuntime(role) { runtime in
            #expect(runtime.checks == checks + (role.publishes ? ["broker.confirms"] : []))
            #expect(runtime.problems().map(\.check) == checks)
            for await state in runtime.states {
                if case .closed(let cause) = state, cause.contains("127.0.0.1:1") { break }
            }
        }
    }

    @Test("refuses to append where nobody would publish it")
    func append() async throws {
        try await withRuntime(.consumesOnly) { runtime in
            let error = await #expect(throws: DatabaseError.self) {
                try await runtime.events.write { try $0.append(Happened(subject: "a", number: 1)) }
            }
            #expect(error?.code == .misuse)
        }
        try await withRuntime(.publishesOnly) { runtime in
            let identity = try await runtime.events.write { try $0.append(Happened(subject: "a", number: 1)) }
            #expect(identity.sequence == 1)
        }
    }

    @Test("stands as the worst of its connections does")
    func worst() {
        #expect(MessagingState([]) == .ready)
        #expect(MessagingState([.ready, .ready]) == .ready)
        #expect(MessagingState([.ready, .blocked(reason: "alarm")]) == .blocked(reason: "alarm"))
        #expect(MessagingState([.connecting, .blocked(reason: "alarm"), .ready]) == .connecting)
        #expect(
            MessagingState([.blocked(reason: "alarm"), .closed(cause: "gone"), .connecting]) == .closed(cause: "gone")
        )
    }
}
