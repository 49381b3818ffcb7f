import Foundation
import HTTP
import ServiceTestSupport
import Synchronization
import Telemetry
import Testing

@testable import Sandbox

/// How the sandbox's provider tells what has happened.
@Suite("The sandbox's webhooks", .timeLimit(.minutes(5))) struct SandboxWebhookTests {
    /// A receiver of webhooks, which answers as it is told and keeps what came.
    private final class Receiver: Sendable {
        struct Message: Sendable {
            let signature: String?
            let body: [UInt8]
        }

        let got = Mutex<[Message]>([])
        let status = Mutex(200)

        func answer(_ request: HTTPRequest) -> HTTPResponse {
            got.withLock { $0.append(Message(signature: request.headers["Stripe-Signature"], body: request.body)) }
            return HTTPResponse(status: status.withLock { $0 })
        }

        var types: [String] {
            get throws {
                struct Event: Decodable { let type: String }
                return try got.withLock { $0 }.map { try JSONDecoder().decode(Event.self, from: Data($0.body)).type }
            }
        }
    }

    private func withSender(_ body: (Provider, WebhookSender, Receiver, TestClock) async throws -> Void) async throws {
        let clock = TestClock()
        let provider = Provider(logger: .silent, sendsWebhooks: true, now: { clock.now })
        let receiver = Receiver()
        var routes = Router()
        routes.on("POST", "/hook") { receiver.answer($0) }
        let client = HTTPClient()
        defer { client.close() }
        try await withServer(routes) { url in
            let sender = try #require(
                WebhookSender(
                    url: url + "/hook",
                    secret: "whsec_a",
                    provider: provider,
                    client: client,
                    logger: .silent
                )
            )
            try await body(provider, sender, receiver, clock)
        }
    }

    private static func charge(_ order: String, method: PaymentMethod = .visa) -> ProviderCall {
        let form = [
            "amount": "1250", "currency": "eur", "payment_method": method.rawValue, "confirm": "true",
            "metadata[order_id]": order,
        ]
        return .createIntent(form: form, key: order)
    }

    @Test("Each change is told once, in its order, signed over the bytes that were sent")
    func told() async throws {
        try await withSender { provider, sender, receiver, clock async throws in
            provider.control(Self.charge("1"))
            provider.control(Self.charge("2", method: .declined))
            provider.control(.refundByHand(form: ["order": "1", "amount": "500"]))
            await sender.sendAll()
            let types = try receiver.types
            #expect(
                types.sorted() == [
                    "payment_intent.created", "payment_intent.created", "payment_intent.payment_failed",
                    "payment_intent.succeeded", "refund.created",
                ]
            )
            let signature = try #require(WebhookSignature(secret: "whsec_a"))
            for message in receiver.got.withLock({ $0 }) {
                try signature.verify(message.signature, of: message.body, at: Provider.wallClock() / 1000)
            }
            await sender.sendAll()
            #expect(try receiver.types.count == 5)
        }
    }

    @Test("What is not taken comes again, later each time, until it is")
    func again() async throws {
        try await withSender { provider, sender, receiver, clock async throws in
            receiver.status.withLock { $0 = 503 }
            provider.control(Self.charge("1"))
            await sender.sendAll()
            #expect(try receiver.types.count == 2)
            await sender.sendAll()
            #expect(try receiver.types.count == 2)
            clock.advance(1_000)
            await sender.sendAll()
            #expect(try receiver.types.count == 4)
            receiver.status.withLock { $0 = 204 }
            clock.advance(2_000)
            await sender.sendAll()
            clock.advance(3_600_000)
            await sender.sendAll()
            #expect(try receiver.types.count == 6)
        }
    }

    @Test("Each attempt and its answer can be looked at, and whether anything is sent, held or waits")
    func state() async throws {
        #expect(Provider(logger: .silent).webhooks == WebhookOutbox.State())
        try await withSender { provider, sender, receiver, clock async throws in
            provider.controlWebhooks { outbox, _ in outbox.hold() }
            provider.control(Self.charge("1"))
            await sender.sendAll()
            #expect(provider.webhooks == WebhookOutbox.State(isSending: true, isHeld: true, waiting: 2))
            receiver.status.withLock { $0 = 503 }
            provider.controlWebhooks { outbox, now in outbox.release(newestFirst: false, at: now) }
            await sender.sendAll()
            receiver.status.withLock { $0 = 202 }
            clock.advance(1_000)
            await sender.sendAll()
            let state = provider.webhooks
            #expect(!state.isHeld && state.waiting == 0)
            let succeeded = state.attempts.filter { $0.type == "payment_intent.succeeded" }
            #expect(succeeded.map(\.status) == [503, 202])
            #expect(succeeded.map(\.isTaken) == [false, true])
            let intent = try #require(provider.control { state, now in state.ledger(at: now) }.intents.first)
            #expect(state.attempts.allSatisfy { $0.paymentIntent == intent.id && !$0.isForged })
        }
    }

    @Test("Webhooks come twice, late or forged on request")
    func faults() async throws {
        try await withSender { provider, sender, receiver, clock async throws in
            func plan(_ kind: Fault.Kind) {
                provider.controlWebhooks { outbox, _ in
                    outbox.plan(Fault(kind: kind, delayMilliseconds: 3_000), count: 2)
                }
            }
            plan(.twice)
            provider.control(Self.charge("1"))
            await sender.sendAll()
            #expect(try receiver.types.count == 4)
            plan(.slow)
            provider.control(Self.charge("2"))
            await sender.sendAll()
            #expect(try receiver.types.count == 4)
            clock.advance(3_000)
            await sender.sendAll()
            #expect(try receiver.types.count == 6)
            plan(.forged)
            provider.control(Self.charge("3"))
            await sender.sendAll()
            let signature = try #require(WebhookSignature(secret: "whsec_a"))
            for message in receiver.got.withLock({ $0 }).suffix(2) {
                #expect(throws: WebhookSignature.Fault.self) {
                    try signature.verify(message.signature, of: message.body, at: Provider.wallClock() / 1000)
                }
            }
        }
    }

    @Test("What is held back comes when it is let go, the newest first on request")
    func held() async throws {
        try await withSender { provider, sender, receiver, clock async throws in
            provider.controlWebhooks { outbox, _ in outbox.hold() }
            provider.control(Self.charge("1"))
            await sender.sendAll()
            #expect(try receiver.types.isEmpty)
            var outbox = WebhookOutbox()
            for event in provider.control({ state, _ in state.events.kept }) { outbox.add(event, at: 0) }
            outbox.hold()
            #expect(outbox.take(5, at: 0).isEmpty)
            outbox.release(newestFirst: true, at: 0)
            #expect(outbox.take(5, at: 0).map(\.event.type) == ["payment_intent.succeeded", "payment_intent.created"])
            // What is under way when all is forgotten is not taken for one that comes afterwards.
            outbox = WebhookOutbox()
            let events = provider.control { state, _ in state.events.kept }
            outbox.add(events[0], at: 0)
            let underWay = outbox.take(5, at: 0)
            outbox.reset()
            for event in events { outbox.add(event, at: 0) }
            for item in underWay { outbox.finish(item, status: 200, at: 0) }
            #expect(outbox.take(5, at: 0).count == 2)
            provider.controlWebhooks { outbox, now in outbox.release(newestFirst: false, at: now) }
            await sender.sendAll()
            #expect(try receiver.types.count == 2)
        }
    }

    @Test(
        "What only time changes is told when it has: a refund that fails after it had succeeded, a charge that is slow"
    )
    func settled() throws {
        var state = ProviderState(series: "t")
        state.apply(Self.charge("1", method: .refundFail), at: 0)
        state.apply(Self.charge("2", method: .slow), at: 0)
        state.apply(.refundByHand(form: ["order": "1"]), at: 10)
        state.settle(at: 2_000)
        let before = state.events.kept.map(\.type)
        #expect(before.suffix(1) == ["refund.created"])
        state.settle(at: 4_000)
        state.settle(at: 5_000)
        #expect(state.events.kept.map(\.type).dropFirst(before.count) == ["payment_intent.succeeded", "refund.failed"])
        // A provider that nobody looked at meanwhile has told the same by the next call.
        var other = ProviderState(series: "t")
        other.apply(Self.charge("1", method: .refundFail), at: 0)
        other.apply(Self.charge("2", method: .slow), at: 0)
        other.apply(.refundByHand(form: ["order": "1"]), at: 10)
        other.apply(.clearFaults, at: 5_000)
        #expect(other.events.kept == state.events.kept)
    }

    @Test("The search is behind on request, and a list is not")
    func searchLag() throws {
        var state = ProviderState(series: "t")
        state.apply(.lagSearch(milliseconds: 60_000), at: 0)
        state.apply(Self.charge("1"), at: 1_000)
        func found(_ now: Int64) -> Int? {
            guard case .found(let intents, _) = state.searchIntents("metadata['order_id']:'1'", at: now).answer else {
                return nil
            }
            return intents.count
        }
        #expect(found(2_000) == 0)
        #expect(found(61_000) == 1)
        guard case .intents(let listed, _) = state.listIntents([:], at: 2_000).answer else { return }
        #expect(listed.count == 1)
        state.apply(.clearFaults, at: 2_000)
        #expect(found(2_000) == 1)
    }

    @Test("Disputes take the money back, bar refunds, and end once the bank has decided")
    func disputes() throws {
        var state = ProviderState(series: "t")
        state.apply(Self.charge("1"), at: 0)
        guard case .dispute(let dispute) = state.openDispute(["order": "1"], at: 5_000).answer else {
            throw CancellationError()
        }
        #expect(dispute.amount == 1250 && dispute.status == .needsResponse && dispute.id.hasPrefix("dp_"))
        #expect(state.refundByHand(["order": "1"], at: 6_000).answer.error?.code == "charge_disputed")
        #expect(state.closeDispute(dispute.id, ["status": "later"], at: 7_000).answer.error?.param == "status")
        guard case .dispute(let won) = state.closeDispute(dispute.id, ["status": "won"], at: 7_000).answer else {
            throw CancellationError()
        }
        #expect(won.status == .won)
        #expect(state.refundByHand(["order": "1"], at: 8_000).answer.error == nil)
        let listed = state.listEvents(["type": "charge.dispute.*"], at: 9_000)
        guard case .events(let events, false) = listed.answer else { throw CancellationError() }
        #expect(events.map(\.type) == ["charge.dispute.closed", "charge.dispute.created"])
        guard case .disputes(let early, _) = state.listDisputes(["created[lt]": "5"], at: 9_000).answer else { return }
        #expect(early.isEmpty)
    }

    @Test("One idempotency key on two endpoints is refused, as Stripe refuses it")
    func keyOnTwoEndpoints() throws {
        var state = ProviderState(series: "t")
        state.apply(Self.charge("1"), at: 0)
        let refund = ProviderCall.createRefund(form: ["payment_intent": "pi_t1"], key: "1")
        #expect(state.apply(refund, at: 0)?.answer.error?.type == "idempotency_error")
        #expect(state.ledger(at: 0).refunds.isEmpty)
    }

    @Test("After a restart what happened last is told again, and nothing of long ago")
    func restart() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("hooks-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let clock = TestClock()
        let first = try Provider(journal: path, logger: .silent, sendsWebhooks: true, now: { clock.now })
        first.control(Self.charge("1"))
        clock.advance(7_200_000)
        first.control(Self.charge("2"))
        for item in first.takeWebhooks(10) { first.finishWebhook(item, status: 200) }
        let second = try Provider(journal: path, logger: .silent, sendsWebhooks: true, now: { clock.now })
        second.settle()
        #expect(second.takeWebhooks(10).map(\.event.type) == ["payment_intent.created", "payment_intent.succeeded"])
    }
}

extension ProviderAnswer {
    fileprivate var error: ProviderError? {
        if case .error(let error) = self { error } else { nil }
    }
}
