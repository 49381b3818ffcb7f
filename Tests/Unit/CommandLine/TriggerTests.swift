import Events
import JSON
import ServiceKit
import ShopEvents
import Testing

@testable import CommandLine

@Suite("warren trigger", .timeLimit(.minutes(5)))
struct TriggerTests {
    @Test("plays every scenario to its end, a line per step", arguments: Scenario.allCases)
    func everyScenario(scenario: Scenario) async {
        let broker = FakeBroker()
        let outcome = await warren("trigger \(scenario.rawValue)", http: TriggerShop().services, broker: broker)
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(outcome.lines.count >= 2)
        #expect(outcome.lines.allSatisfy { $0.hasPrefix("[\(scenario.rawValue)] ") })
    }

    @Test("ends with 1 where a shop breaks the promise that a scenario is about, and says what it did", arguments: lies)
    func brokenPromise(lie: Lie) async {
        let shop = TriggerShop(lie.flaw)
        let outcome = await warren("trigger \(lie.scenario.rawValue) --timeout 300ms", http: shop.services)
        #expect(outcome.code == lie.code, "\(outcome.data)\(outcome.messages)")
        #expect(outcome.messages.contains(lie.words), "\(outcome.messages)")
        #expect(shop.faults == 0, "what was planned is taken back, whatever came of it")
    }

    /// A shop that breaks a promise, the scenario that shows it, and what it says.
    struct Lie: Sendable, CustomTestStringConvertible {
        let scenario: Scenario
        let flaw: TriggerShop.Flaw
        let code: Int32
        let words: String

        init(_ scenario: Scenario, _ flaw: TriggerShop.Flaw, _ words: String, code: Int32 = 1) {
            self.scenario = scenario
            self.flaw = flaw
            self.code = code
            self.words = words
        }

        var testDescription: String { "\(scenario.rawValue): \(flaw.rawValue)" }
    }

    private static let lies = [
        Lie(.keyReused, .takesKeyAgain, "status 202, not 422"),
        Lie(.keyReused, .swapsBodies, "is over 2 pieces"),
        Lie(.paidAndCancelled, .keepsMoney, "charged order o-1 once and refunded it never"),
        Lie(.paidAndCancelled, .refundsTwice, "once and refunded it twice"),
        Lie(.refundRepeated, .refundsTwice, "refunded it twice"),
        Lie(.refundRepeated, .chargesTwice, "charged order o-1 twice"),
        Lie(.refundRepeated, .changesKeys, "under 2 keys"),
        Lie(.refundRepeated, .tellsTwice, "payment told twice"),
        Lie(.refundRepeated, .repeatsNothing, "nothing was repeated"),
        Lie(.refundRepeated, .otherProvider, "--sandbox-url", code: 5),
        Lie(.webhookBeforeRefund, .refundsTwice, "refunded it twice"),
        Lie(.webhookBeforeRefund, .tellsTwice, "payment told twice"),
        Lie(.webhookBeforeRefund, .answersFirst, "had its own answer", code: 5),
        Lie(.webhookBeforeRefund, .noWebhooks, "SANDBOX_WEBHOOK_URL", code: 5),
        Lie(.webhookBeforeRefund, .noSecret, "PAYMENT_WEBHOOK_SECRET", code: 5),
        Lie(.webhookBeforeOrder, .opensPayment, "a payment of a webhook alone"),
        Lie(.webhookBeforeOrder, .looksOnce, "payment.unknown-payment", code: 5),
        Lie(.lateFailure, .believesFailure, "after a late failure"),
        Lie(.refundFailedLate, .untells, "nothing un-tells"),
        Lie(.forgedWebhook, .takesUnsigned, "without a signature with 202"),
        Lie(.forgedWebhook, .takesForgery, "a secret that is none with 202"),
        Lie(.forgedWebhook, .believesForgery, "order o-1 is confirmed"),
        Lie(.forgedWebhook, .noSecret, "PAYMENT_WEBHOOK_SECRET", code: 5),
        Lie(.lastPiece, .sellsTwice, "2 are confirmed and 0 rejected"),
        Lie(.lastPiece, .sellsNothing, "0 are confirmed and 2 rejected"),
        Lie(.lastPiece, .chargesLoser, "who got no piece is charged"),
        Lie(.lastPiece, .reserves, "is reserved"),
        Lie(.lastPiece, .noInventory, "the shop has no inventory", code: 5),
        Lie(.priceChanged, .ignoresPrice, "status 202, not 409"),
        Lie(.priceChanged, .hidesPrice, "does not name the new price"),
        Lie(.priceChanged, .billsOldPrice, "comes to 1999, not 2199"),
        Lie(.priceChanged, .noInventory, "SHOP_CONTEXTS", code: 5),
        Lie(.couponLimit, .overIssues, "3 got a coupon"),
        Lie(.couponLimit, .miscounts, "counts 3 issued"),
        Lie(.pointsTwice, .paysTwice, "2 are confirmed and 0 rejected"),
        Lie(.pointsTwice, .paysNobody, "0 are confirmed and 2 rejected"),
        Lie(.pointsTwice, .invents, "has 900 points"),
        Lie(.pointsTwice, .unbalanced, "does not hold together"),
        Lie(.pointsTwice, .noPoints, "the shop has no points", code: 5),
        Lie(.courierRefuses, .carriesTwice, "dispatched, dispatched"),
        Lie(.courierRefuses, .carriesElsewhere, "went to Paris"),
        Lie(.courierRefuses, .noShipping, "the shop has no shipping", code: 5),
        Lie(.courierDown, .carriesTwice, "dispatched, dispatched"),
        Lie(.courierDown, .noShipping, "the shop has no shipping", code: 5),
    ]

    @Test("shows each promise broken that the shop of these tests can break")
    func everyFlaw() {
        #expect(Set(Self.lies.map(\.flaw)) == Set(TriggerShop.Flaw.allCases))
    }

    @Test(
        "says which part it misses and how to name it, with the code of what cannot be reached",
        arguments: [
            (Scenario.lateFailure, "sandbox", 8090), (.paidAndCancelled, "sandbox", 8090),
            (.forgedWebhook, "payment", 8082),
            (.lastPiece, "inventory", 8084), (.couponLimit, "coupon", 8085), (.pointsTwice, "points", 8086),
            (.courierDown, "sandbox", 8090), (.courierRefuses, "sandbox", 8090),
        ]
    )
    func missing(scenario: Scenario, part: String, port: Int) async {
        let outcome = await warren("trigger \(scenario.rawValue)")
        #expect(outcome.code == 7)
        #expect(
            outcome.messages.contains(
                "the scenario needs \(part): \(part) cannot be reached at http://127.0.0.1:\(port)"
            )
        )
        #expect(outcome.messages.contains("--\(part)-url or WARREN_\(part.uppercased())_URL"))
        #expect(outcome.lines.isEmpty, "nothing was begun that could not be ended")
    }

    @Test("finds the parts where options or variables say, and refuses what is no address")
    func addresses() async {
        let services = FakeServices()
        _ = await warren("trigger coupon-limit --coupon-url http://coupon.example:1/", http: services)
        #expect(services.lines.first?.hasPrefix("PUT http://coupon.example:1/coupons/") == true)
        let other = FakeServices()
        let environment = ["WARREN_SANDBOX_URL": "http://sandbox.example:2", "WARREN_API_TOKEN": "secret"]
        _ = await warren("trigger courier-down", environment: environment, http: other)
        #expect(other.lines == ["POST http://sandbox.example:2/sandbox/courier/faults"])
        #expect(other.requests.first?.headers["Authorization"] == nil, "the sandbox gets no token of the shop's")
        let wrong = await warren("trigger coupon-limit --coupon-url coupon.example")
        #expect(wrong.code == 2)
        #expect(wrong.messages.contains("--coupon-url or WARREN_COUPON_URL is a URL such as http://127.0.0.1:8085"))
    }

    @Test("tells its steps as JSON, in the order in which they happen")
    func json() async {
        let outcome = await warren("trigger cancelled -o jsonl", http: TriggerShop().services)
        #expect(outcome.records.compactMap { $0["step"]?.text } == ["place", "wait", "cancel", "wait"])
        #expect(Set(outcome.records.compactMap { $0["order"]?.text }) == ["o-1"])
    }

    @Test("publishes a duplicate under one id, and a poison that no handler of its type reads")
    func events() async throws {
        let broker = FakeBroker()
        _ = await warren("trigger duplicate", http: TriggerShop().services, broker: broker)
        #expect(broker.events.count == 2)
        #expect(broker.events[0] == broker.events[1])
        _ = try OrderConfirmed(decodingData: broker.events[0].data)

        let outcome = await warren("trigger poison -o json", http: TriggerShop().services, broker: broker)
        let poison = try #require(broker.events.last)
        #expect(poison.type == OrderPaymentRequested.type)
        #expect(throws: (any Error).self) { try OrderPaymentRequested(decodingData: poison.data) }
        let steps = try #require(try JSONValue(parsing: Array(outcome.data.utf8)).array)
        #expect(steps.last?["deadLetter"]?.text == "payment-17")
    }

    @Test("publishes an order to a customer whom no mail can reach, and finds it at Notification")
    func mailBounce() async throws {
        let broker = FakeBroker()
        let outcome = await warren("trigger mail-bounce -o jsonl", http: TriggerShop().services, broker: broker)
        #expect(outcome.code == 0)
        let event = try #require(broker.events.last)
        let data = try JSONValue(parsing: event.data)
        #expect(data["orderID"]?.text == event.subject)
        let fault = #expect(throws: EventFault.self) { try OrderConfirmed(decodingData: event.data) }
        #expect(fault?.detail.hasPrefix("data.customer.email must be") == true)
        #expect(outcome.records.last?["deadLetter"]?.text == "notification-17")
    }

    @Test("plays as often as told, each time anew")
    func count() async {
        let outcome = await warren("trigger happy --count 3 -o jsonl", http: TriggerShop().services)
        #expect(Set(outcome.records.compactMap { $0["order"]?.text }) == ["o-1", "o-2", "o-3"])
    }

    @Test("ends with 5 when a step does not come out in time, and shows the steps before it")
    func timedOut() async {
        let services = FakeServices { _ in .json(order("placed", payment: "requested")) }
        let outcome = await warren("trigger happy --timeout 2s -o jsonl", http: services)
        #expect(outcome.code == 5)
        #expect(outcome.records.compactMap { $0["step"]?.text } == ["place"])
    }

    @Test("refuses a scenario that it does not know")
    func unknown() async {
        let outcome = await warren("trigger hapy")
        #expect(outcome.code == 2)
        #expect(outcome.messages.contains("Did you mean `happy`?"))
    }
}
