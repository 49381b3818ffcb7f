import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("An event that comes twice")
    struct Duplicates {
        @Test("is mailed once")
        func mail() async throws {
            try await Shop.open { shop in
                let (order, marker) = (UUID().uuidString, UUID().uuidString)
                let event = Shop.confirmation(of: order)
                for _ in 0..<5 { try await shop.publish(event) }
                try await shop.waitForMail("confirmed", about: order)
                for _ in 0..<5 { try await shop.publish(event) }
                try await shop.publish(Shop.confirmation(of: marker))
                try await shop.waitForMail("confirmed", about: marker)
                // What was received before the marker is done with when the service has ended in order.
                #expect(try await shop.process(.notification).terminate() == .exit(0))
                #expect(try await shop.mails(about: order).count == 1)
                let rows = "SELECT count(*) FROM warren_deliveries WHERE subject = '\(order)'"
                #expect(try await shop.query(.notification, rows) == [[1]])
            }
        }

        @Test("is charged once, also when it comes from outside under an id that was handled long ago")
        func charge() async throws {
            try await Shop.open { shop in
                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
                try await shop.waitForMail("confirmed", about: id)
                let stored = try await shop.query(
                    .order,
                    "SELECT CAST(envelope AS TEXT) FROM warren_events WHERE type = 'dev.warren.order.payment-requested'"
                )
                let envelope = try JSONValue(parsing: Array(try #require(stored[0][0].text).utf8))
                for _ in 0..<5 { try await shop.publish(envelope) }
                // Behind the duplicates in the same queue.
                let next = try await shop.place()
                try await shop.waitFor("confirmed", order: next)
                #expect(try await shop.charges(of: id) == 1)
                #expect(try await shop.mails(about: id).count == 1)
                try await shop.expectNothingWaits()
            }
        }
    }
}
