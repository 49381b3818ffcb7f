import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("A message that is no event")
    struct MalformedMessages {
        /// What is wrong, how it is published, and what the dead letter has to say.
        private struct Malformed {
            let name: String
            var body: [UInt8]
            var properties: JSONValue
            let errorClass: String
            let saying: String?
            /// Straight into Notification's queue, for what the exchange would not bring there.
            var bypassesExchange = false
        }

        private static func malformed() -> [Malformed] {
            func make(
                _ name: String,
                _ errorClass: String,
                saying: String?,
                _ body: [UInt8]? = nil,
                change: (inout JSONValue, inout JSONValue) -> Void = { _, _ in }
            ) -> Malformed {
                let id = UUID().uuidString
                var envelope = Shop.confirmation(of: "never", id: id)
                var properties = Shop.properties(id: id)
                change(&envelope, &properties)
                return Malformed(
                    name: name,
                    body: body ?? envelope.bytes,
                    properties: properties,
                    errorClass: errorClass,
                    saying: saying
                )
            }
            let depth = 10_000
            let nested = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            let good = String(decoding: Shop.confirmation(of: "never").bytes, as: UTF8.self)
            var unknown = make("an unknown type", "event.unknown-type", saying: "dev.warren.order.exploded") {
                envelope,
                _ in
                envelope["type"] = "dev.warren.order.exploded"
            }
            unknown.bypassesExchange = true
            return [
                unknown,
                make("malformed JSON", "event.malformed-json", saying: nil, Array("{\"specversion\": \"1.0\", ".utf8)),
                make("no JSON at all", "event.malformed-json", saying: nil, []),
                make("another content type", "event.not-a-cloudevent", saying: "content-type") { _, properties in
                    properties["content_type"] = "text/plain"
                },
                make("no content type", "event.not-a-cloudevent", saying: "content-type") { _, properties in
                    properties = ["message_id": properties["message_id"] ?? .null]
                },
                make("compressed bytes", "event.unsupported-encoding", saying: "gzip") { _, properties in
                    properties["content_encoding"] = "gzip"
                },
                make("a batch", "event.batch", saying: "message of its own", Array("[\(good)]".utf8)),
                make("a missing attribute", "event.missing-attribute", saying: "source") { envelope, _ in
                    envelope = envelope.without("source")
                },
                make("another service's event", "event.foreign-source", saying: "/order-service") { envelope, _ in
                    envelope["source"] = "/payment-service"
                },
                make("data of another shape", "event.invalid-data", saying: nil) { envelope, _ in
                    envelope["data"] = ["orderID": 7]
                },
                make("2 MiB", "event.too-large", saying: "1048576") { envelope, _ in
                    envelope["data"]["padding"] = .string(String(repeating: "x", count: 2 << 20))
                },
                make(
                    "10,000 levels",
                    "event.too-deep",
                    saying: nil,
                    Array(good.dropLast().utf8) + Array(",\"deep\":\(nested)}".utf8)
                ),
                make(
                    "bytes that are no UTF-8",
                    "event.invalid-utf8",
                    saying: nil,
                    Array("{\"specversion\":\"".utf8) + [0xC3, 0x28] + Array("\"}".utf8)
                ),
                make(
                    "a duplicate key",
                    "event.duplicate-key",
                    saying: "id",
                    Array(good.dropLast().utf8) + Array(",\"id\":\"other\"}".utf8)
                ),
            ]
        }

        @Test("goes to the dead letters at once with its own bytes and a clear reason, and the queue goes on")
        func buried() async throws {
            let malformed = Self.malformed()
            try await Shop.open { shop in
                for message in malformed {
                    let routed = try await shop.management.publish(
                        message.body,
                        exchange: message.bypassesExchange ? "amq.default" : "warren.events",
                        routingKey: message.bypassesExchange ? "notification" : "dev.warren.order.confirmed",
                        properties: message.properties,
                        in: shop.virtualHost
                    )
                    #expect(routed, "\(message.name)")
                }
                let order = UUID().uuidString
                try await shop.publish(Shop.confirmation(of: order))
                try await shop.waitForMail("confirmed", about: order)
                #expect(try await shop.mail.mails().count == 1, "only the good one was mailed")

                let dead = try await eventually("all of them are dead letters") {
                    let dead = try await shop.deliveries(.notification, "dead")
                    return dead.count >= malformed.count ? dead : nil
                }
                #expect(dead.count == malformed.count)
                var letters: [[UInt8]: JSONValue] = [:]
                for summary in dead {
                    let letter = try await shop.deadLetter(.notification, try #require(summary["id"].text))
                    letters[try bytes(of: letter)] = letter
                }
                for message in malformed {
                    let letter = try #require(letters[message.body], "\(message.name): no dead letter has its bytes")
                    #expect(letter["errorClass"].text == message.errorClass, "\(message.name)")
                    let error = letter["error"].text ?? ""
                    #expect(!error.isEmpty, "\(message.name)")
                    if let saying = message.saying { #expect(error.contains(saying), "\(message.name): \(error)") }
                    #expect(letter["attempts"].elements.count == 1, "\(message.name)")
                    #expect(letter["attemptCount"] == 1, "\(message.name)")
                }
            }
        }

        private func bytes(of letter: JSONValue) throws -> [UInt8] {
            if let text = letter["body"].text { return Array(text.utf8) }
            let data = try #require(letter["bodyBase64"].text.flatMap { Data(base64Encoded: $0) }, "\(letter)")
            return Array(data)
        }
    }
}
