import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("A customer's mail")
    struct Mails {
        @Test("has the customer's name as it is written, in whatever script, and nothing of it becomes a header")
        func names() async throws {
            try await Shop.open { shop in
                for name in ["Jürgen Größe 🎉", ".hidden", "名前", "Ada\" <eve@example.com>", "<b>Ada</b> =?utf-8?q?x?="] {
                    var order = Shop.order()
                    order["customer"]["name"] = .string(name)
                    let placed = try await shop.probe(.order).post("/orders", order)
                    let id = try #require(try placed.json["id"].text, "\(placed.text)")
                    let mail = try await shop.waitForMail("confirmed", about: id)
                    let text = try await shop.mail.text(of: mail)
                    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
                    #expect(lines.first == "Dear \(name),")
                    #expect(text.contains("25.00 EUR"))
                    #expect(mail.to == "ada@example.com")
                    let source = try await shop.mail.source(of: mail)
                    #expect(source.lowercased().contains("charset=utf-8"), "\(source)")
                    #expect(!source.contains("Bcc:"))
                }
            }
        }

        @Test("cannot be led elsewhere by an event from outside: its name stays on its line, its address is one")
        func injection() async throws {
            try await Shop.open { shop in
                var named = Shop.confirmation(of: "order-named")
                named["data"]["customer"]["name"] =
                    "Eve\r\nBcc: victim@example.com\r\n\r\n.\r\nMAIL FROM:<x@example.com>"
                var addressed = Shop.confirmation(of: "order-addressed")
                addressed["data"]["customer"]["email"] = "ada@example.com>\r\nRCPT TO:<victim@example.com"
                for event in [named, addressed] { #expect(try await shop.publish(event)) }

                let mail = try await shop.waitForMail("confirmed", about: "order-named")
                #expect(mail.to == "ada@example.com")
                let source = try await shop.mail.source(of: mail)
                let headers = source.split(whereSeparator: \.isNewline).prefix { $0.contains(": ") }
                #expect(headers.allSatisfy { !$0.lowercased().hasPrefix("bcc") }, "\(source)")
                let greeting = try await shop.mail.text(of: mail).split(whereSeparator: \.isNewline).first ?? ""
                #expect(greeting.hasPrefix("Dear Eve") && greeting.contains("victim"), "\(source)")
                let dead = try await eventually("the other is a dead letter") {
                    try await shop.deliveries(.notification, "dead").first
                }
                #expect(dead["subject"] == "order-addressed")
                #expect(dead["errorClass"] == "event.invalid-data")
                #expect(try await shop.mail.mails().count == 1)
            }
        }
    }
}
