import Foundation
import JSON
import TestSupport
import Testing

/// `cloudevents_peer.py` makes and reads events by the official SDK, which knows nothing of this kit.
@Suite("Other people's CloudEvents go into the shop, and the shop's out to them", .timeLimit(.minutes(5)), .serialized)
struct CloudEventsTests {
    @discardableResult
    private func peer(_ arguments: String...) async throws -> String { try await peer(arguments) }

    @discardableResult
    private func peer(_ arguments: [String]) async throws -> String {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("cloudevents_peer.py")
        let done = try await ChildProcess.run(TestEnvironment.python, [script.path] + arguments)
        try #require(done.end == .exit(0), "\(arguments): \(done.errors)")
        return done.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The bytes of a message of that kind, once a queue has it.
    private func publish(_ kind: String, about order: String, to shop: RunningShop) async throws -> [UInt8] {
        let printed = try await peer("publish", shop.brokerURL, kind, order)
        return Array(try #require(Data(base64Encoded: printed)))
    }

    private func bytes(of letter: JSONValue) throws -> [UInt8] {
        if let text = letter["body"].text { return Array(text.utf8) }
        return Array(try #require(letter["bodyBase64"].text.flatMap { Data(base64Encoded: $0) }, "\(letter)"))
    }

    @Test("Each form in which an event may come leads to its mail")
    func taken() async throws {
        let kinds = [
            "structured", "binary ce-", "binary cloudEvents:", "binary cloudEvents_", "extensions", "extensions binary",
            "neither subject nor time", "base64",
        ]
        try await RunningShop.open { shop in
            var orders: Set<String> = []
            for kind in kinds {
                let order = UUID().uuidString
                orders.insert(order)
                _ = try await publish(kind, about: order, to: shop)
            }
            try await eventually("a mail for each of \(kinds)") {
                let mails = try await shop.mail.mails()
                return orders.allSatisfy { order in mails.contains { $0.subject.contains(order) } }
            }
            #expect(try await shop.mail.mails().count == kinds.count)
            #expect(try await shop.deadLetters(of: "notification").isEmpty)
        }
    }

    @Test("What is not taken is a dead letter with its bytes, and the reason names the cause")
    func refused() async throws {
        let kinds: [(kind: String, errorClass: String?, saying: String)] = [
            ("another source", "event.foreign-source", "/elsewhere"),
            ("negative total", "event.invalid-data", "data.total.amount must be from 1"),
            ("batch", nil, "batch"), ("gzip", nil, "gzip"), ("byte-order mark", nil, "byte-order mark"),
            ("latin-1", nil, "latin-1"),
        ]
        try await RunningShop.open { shop in
            for (index, expected) in kinds.enumerated() {
                let body = try await publish(expected.kind, about: UUID().uuidString, to: shop)
                let letters = try await eventually("\(expected.kind) is a dead letter") {
                    let letters = try await shop.deadLetters(of: "notification")
                    return letters.count > index ? letters : nil
                }
                #expect(letters.count == index + 1)
                let letter = try #require(letters.first { try bytes(of: $0) == body }, "\(expected.kind)")
                let error = letter["error"].text ?? ""
                #expect(error.contains(expected.saying), "\(expected.kind): \(error)")
                if let errorClass = expected.errorClass { #expect(letter["errorClass"].text == errorClass) }
                #expect(letter["attemptCount"] == 1, "\(expected.kind)")
            }
            #expect(try await shop.mail.mails().isEmpty)
        }
    }

    @Test(
        "Five messages that are no events are five dead letters, though their bytes are the same"
    )
    func noEvents() async throws {
        try await RunningShop.open { shop in
            for number in 0..<5 { _ = try await publish("no event", about: "\(number)", to: shop) }
            let letters = try await eventually("five dead letters") {
                let letters = try await shop.deadLetters(of: "notification")
                return letters.count >= 5 ? letters : nil
            }
            #expect(letters.count == 5)
            #expect(try letters.allSatisfy { try bytes(of: $0) == Array("hello".utf8) })
            let headers = letters.map { $0["properties"]["headers"]["x"].text }
            #expect(Set(headers) == ["0", "1", "2", "3", "4"], "\(letters)")
        }
    }

    @Test(
        "Every event of the shop is one for the SDK, keeps to the document, and has every property"
    )
    func outwards() async throws {
        try await RunningShop.open { shop in
            let queue = TestEnvironment.uniqueName("everything")
            try await peer("bind", shop.brokerURL, queue)
            let paid = try await shop.order(paying: "pm_card_visa", until: "confirmed", payment: "captured")
            try await shop.cancel(paid, until: "refunded")
            _ = try await shop.order(paying: "pm_card_chargeDeclined", until: "rejected", payment: "declined")
            let slow = try await shop.order(paying: "pm_card_pendingRefund", until: "confirmed", payment: "captured")
            try await shop.cancel(slow, until: "refunding")
            let document = shop.folder.file("asyncapi.json")
            try Data(YAML.read("Shared/ShopEvents/asyncapi.yaml").bytes).write(to: document)
            let orders = ["placed", "payment-requested", "confirmed", "rejected", "cancelled", "refunded"]
            let payments = ["captured", "declined", "refund-requested", "refunded"]
            let types = orders.map { "dev.warren.order.\($0)" } + payments.map { "dev.warren.payment.\($0)" }
            let arguments = ["read", shop.brokerURL, queue, document.path] + types
            try await peer(arguments)
        }
    }
}
