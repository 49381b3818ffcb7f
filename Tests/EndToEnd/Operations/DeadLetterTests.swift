import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Dead letters, by the warren command")
    struct DeadLetters {
        private func json(_ done: (end: ChildProcess.End, output: String, errors: String)) throws -> JSONValue {
            #expect(done.end == .exit(0), "\(done.errors)")
            return try JSONValue(parsing: Array(done.output.utf8))
        }

        @Test("are listed, shown with every attempt, and succeed when they are retried after the cause is mended")
        func retried() async throws {
            var options = Shop.Options()
            options.environment[.notification] = ["WARREN_RETRY_ATTEMPTS": "3"]
            try await Shop.open(options) { shop in
                try await shop.mail.refuse(with: 451)
                let placed = try json(await shop.warren("order", "place", "--output", "json"))
                let id = try #require(placed["id"].text)
                _ = try json(await shop.warren("wait", "order", id, "--for", "confirmed", "--output", "json"))
                let dead = try await eventually("the mail is a dead letter") {
                    try await shop.deliveries(.notification, "dead", query: "&subject=\(id)").first
                }
                let key = "notification-\(try #require(dead["id"].text))"
                let listed = try await shop.warren("dead-letters", "list")
                #expect(listed.output.contains(id))
                let shown = try json(await shop.warren("dead-letters", "show", key, "--output", "json"))
                #expect(shown["attempts"].elements.count == 3)
                #expect(shown["error"].text?.contains("451") == true, "\(shown["error"])")

                try await shop.mail.refuse(with: nil)
                _ = try json(await shop.warren("dead-letters", "retry", key, "--output", "json"))
                try await shop.waitForMail("confirmed", about: id)
                try await eventually("nothing is left") { try await shop.deliveries(.notification, "dead").isEmpty }
            }
        }

        @Test("are discarded with a reason, which the audit keeps")
        func discarded() async throws {
            try await Shop.open { shop in
                let published = try await shop.warren(
                    "publish",
                    "order.confirmed",
                    "--force",
                    "--data",
                    "{\"poison\": true}"
                )
                #expect(published.end == .exit(0), "\(published.errors)")
                let dead = try await eventually("it is a dead letter") {
                    try await shop.deliveries(.notification, "dead").first
                }
                #expect(dead["errorClass"] == "event.invalid-data")
                let key = "notification-\(try #require(dead["id"].text))"
                let done = try await shop.warren("dead-letters", "discard", key, "--reason", "a test")
                #expect(done.end == .exit(0), "\(done.errors)")
                #expect(try await shop.deliveries(.notification, "dead").isEmpty)
                #expect(try await shop.deliveries(.notification, "discarded").count == 1)
                let audit = try await shop.operations(.notification).get("/audit").json["items"].elements
                #expect(audit.map { $0["reason"] } == ["a test"])
                #expect(audit.map { $0["action"] } == ["discard"])
            }
        }
    }
}
