import Foundation
import HTTP
import Telemetry
import Testing

@testable import Sandbox

/// The provider's journal: a real provider does not forget its charges when it is restarted, nor may the sandbox.
@Suite("The sandbox's journal") struct SandboxJournalTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)")
        .path

    @Test("A restart forgets nothing: charges, refunds, keys, and the faults that are still to come")
    func remembers() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let clock = TestClock()
        var provider = try open(clock)
        provider.control(.plan(Fault(kind: .error, delayMilliseconds: 0), for: .charge, count: 2))
        provider.control(.createIntent(form: Self.charge("order-1"), key: "1"))
        clock.advance(1000)
        provider.control(.clearFaults)
        provider.control(.createIntent(form: Self.charge("order-1"), key: "1"))
        provider.control(.createIntent(form: Self.charge("order-2", method: .timeoutOnce), key: "2"))
        provider.control(.createIntent(form: ["amount": "50", "currency": "eur"], key: nil))
        let charged = ledger(of: provider)
        let first = try #require(charged.intents.first?.id)
        let open = try #require(charged.intents.last?.id)
        provider.control(.cancelIntent(id: open, form: [:], key: nil))
        provider.control(.createRefund(form: ["payment_intent": first], key: "r"))
        provider.control(.plan(Fault(kind: .unavailable, delayMilliseconds: 0), for: .refund, count: 1))
        let before = ledger(of: provider)
        #expect(before.chargesByOrder == ["order-1": 1, "order-2": 1])
        #expect(before.refundsByOrder == ["order-1": 1])

        provider = try self.open(clock)
        let after = ledger(of: provider)
        #expect(after.intents == before.intents)
        #expect(after.refunds == before.refunds)
        // The key is known, and the fault strikes.
        provider.control(.createIntent(form: Self.charge("order-2", method: .timeoutOnce), key: "2"))
        let second = try #require(before.intents.dropFirst().first?.id)
        provider.control(.createRefund(form: ["payment_intent": second], key: "s"))
        #expect(ledger(of: provider).intents == before.intents)
        #expect(ledger(of: provider).refunds == before.refunds)
        // Ids go on where they were.
        provider.control(.createIntent(form: Self.charge("order-3"), key: "3"))
        #expect(Set(ledger(of: provider).intents.map(\.id)).count == 4)
    }

    @Test("A line that a crash has cut off was never answered and is forgotten; the next one is whole")
    func cutOff() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let clock = TestClock()
        try open(clock).control(.createIntent(form: Self.charge("order-1"), key: "1"))
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.seekToEnd()
        try file.write(contentsOf: Data(#"{"called":{"_0":{"createInt"#.utf8))
        try file.close()
        try open(clock).control(.createIntent(form: Self.charge("order-2"), key: "2"))
        #expect(ledger(of: try open(clock)).chargesByOrder == ["order-1": 1, "order-2": 1])
    }

    @Test("A reset is remembered too")
    func reset() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let clock = TestClock()
        let provider = try open(clock)
        provider.control(.createIntent(form: Self.charge("order-1"), key: "1"))
        let old = ledger(of: provider).intents.map(\.id)
        try provider.reset()
        #expect(ledger(of: try open(clock)).intents.isEmpty)
        try open(clock).control(.createIntent(form: Self.charge("order-1"), key: "1"))
        #expect(ledger(of: try open(clock)).intents.map(\.id) != old)
    }

    @Test("A file that is something else is left alone, and the mend is named")
    func foreignFile() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("# Notes\n".utf8).write(to: URL(fileURLWithPath: path))
        let failure = #expect(throws: Journal.Failure.self) { _ = try open(TestClock()) }
        #expect(failure?.description == "the journal \(path) cannot be read at line 1: remove it to begin anew")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("# Notes\n".utf8))
        let nowhere = #expect(throws: Journal.Failure.self) {
            _ = try Provider(journal: "\(path)/none/journal", logger: .silent)
        }
        #expect(nowhere?.reason.hasPrefix("cannot be opened") == true)
    }

    private func open(_ clock: TestClock) throws -> Provider {
        try Provider(journal: path, logger: .silent, now: { clock.now })
    }

    private func ledger(of provider: Provider) -> Ledger {
        provider.control { state, now in state.ledger(at: now) }
    }

    private static func charge(_ order: String, method: PaymentMethod = .visa) -> [String: String] {
        [
            "amount": "1250", "currency": "eur", "payment_method": method.rawValue, "confirm": "true",
            "metadata[order_id]": order,
        ]
    }
}
