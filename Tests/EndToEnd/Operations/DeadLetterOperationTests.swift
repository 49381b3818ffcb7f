import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Many dead letters at once, by the warren command")
    struct DeadLetterOperations {
        @Test("an operation that kill -9 cuts off goes on after the restart where it was, and does none twice")
        func killed() async throws {
            try await Shop.open { shop in
                let count = 200
                try await shop.bury(count)
                let started = try await shop.warren(
                    "dlq",
                    "discard",
                    "--all",
                    "--service",
                    "notification",
                    "--type",
                    "order.confirmed",
                    "--rate",
                    "40",
                    "--yes",
                    "--detach",
                    "--reason",
                    "a test",
                    "--output",
                    "jsonl"
                )
                #expect(started.end == .exit(0), "\(started.errors)")
                try await eventually("it is in the middle") {
                    let operation = try await shop.operations(.notification).get("/dead-letter-operations/1").json
                    return (operation["done"].integer ?? 0) > 10
                }
                try await shop.kill(.notification)
                let before = try await shop.query(.notification, "SELECT done, state FROM warren_operations")
                #expect((before[0].elements[0].integer ?? 0) < Int64(count), "it was too quick for this test")
                #expect(before[0].elements[1] == "running")
                try await shop.restart(.notification)
                let watched = try await shop.warren("dlq", "ops", "watch", "notification-1", "--output", "jsonl")
                #expect(watched.end == .exit(0), "\(watched.errors)")
                #expect(try JSONValue(parsing: Array(watched.output.utf8))["done"].integer == Int64(count))
                try await shop.expectDiscardedOnce(count)
            }
        }

        @Test("are retried together once the cause is mended, and each is handled once")
        func retried() async throws {
            var options = Shop.Options()
            options.environment[.notification] = ["WARREN_RETRY_ATTEMPTS": "1"]
            try await Shop.open(options) { shop in
                try await shop.mail.refuse(with: 550)
                let orders = (0..<5).map { "bulk-\($0)" }
                for order in orders { try await shop.publish(Shop.confirmation(of: order)) }
                try await eventually("all are dead") {
                    try await shop.deliveries(.notification, "dead").count == orders.count
                }
                let looked = try await shop.warren("dlq", "retry", "--all", "--service", "notification", "--dry-run")
                #expect(looked.end == .exit(0) && looked.output.contains("5"), "\(looked.errors)")
                let unsure = try await shop.warren(
                    "dlq",
                    "retry",
                    "--all",
                    "--service",
                    "notification",
                    "--reason",
                    "r"
                )
                #expect(unsure.end == .exit(2) && unsure.errors.contains("--yes"))
                try await shop.mail.refuse(with: nil)
                let done = try await shop.warren(
                    "dlq",
                    "retry",
                    "--all",
                    "--service",
                    "notification",
                    "--yes",
                    "--reason",
                    "it takes mail again"
                )
                #expect(done.end == .exit(0), "\(done.errors)")
                for order in orders { try await shop.waitForMail("confirmed", about: order) }
                try await shop.expectNothingWaits()
                for order in orders { #expect(try await shop.mails(about: order).count == 1) }
            }
        }
    }
}

extension Shop {
    /// Makes so many dead letters of Notification, each with a subject of its own.
    func bury(_ count: Int) async throws {
        let published = try await warren(
            "publish",
            "order.confirmed",
            "--force",
            "--count",
            "\(count)",
            "--data",
            "{\"poison\": true}"
        )
        guard published.end == .exit(0) else { throw TimedOut("nothing was published: \(published.errors)") }
        try await eventually("all are dead", within: .seconds(60)) {
            try await query(.notification, "SELECT count(*) FROM warren_deliveries WHERE status = 'dead'")
                == [.array([.integer(Int64(count))])]
        }
    }

    /// Fails unless so many deliveries of Notification are discarded, each by one deed.
    func expectDiscardedOnce(_ count: Int) async throws {
        let all: [JSONValue] = [.array([.integer(Int64(count))])]
        #expect(
            try await query(.notification, "SELECT count(*) FROM warren_deliveries WHERE status = 'discarded'") == all
        )
        let deeds = "FROM warren_audit WHERE action = 'discard'"
        #expect(try await query(.notification, "SELECT count(*) \(deeds)") == all)
        #expect(try await query(.notification, "SELECT count(DISTINCT delivery_id) \(deeds)") == all)
        let operation = try await query(.notification, "SELECT state, done, failed, total FROM warren_operations")
        #expect(operation == [.array(["done", .integer(Int64(count)), 0, .integer(Int64(count))])])
        let groups = try await query(.notification, "SELECT status, count FROM warren_dead_letter_groups")
        #expect(groups == [.array(["discarded", .integer(Int64(count))])])
    }
}
