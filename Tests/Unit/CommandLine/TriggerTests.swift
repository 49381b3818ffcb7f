import Events
import JSON
import ServiceKit
import ShopEvents
import Synchronization
import Testing

@testable import CommandLine

@Suite("warren trigger", .timeLimit(.minutes(5)))
struct TriggerTests {
    /// A shop in which every order comes at once to what its payment method stands for.
    private static func shop() -> FakeServices {
        let methods = Mutex<[String: String]>([:])
        let orders = Mutex<[String: String]>([:])
        let looks = Mutex(0)
        return FakeServices { request in
            if request.url.hasSuffix("/metrics") {
                let count = looks.withLock { looks in
                    looks += 1
                    return looks
                }
                return .text("# HELP x y\nwarren_duplicate_deliveries_total{service=\"notification\"} \(count / 2)\n")
            }
            if request.url.contains("/dead-letters") {
                return .json(["items": [["id": "17", "error": "unreadable"]], "next": .null])
            }
            if request.url.hasSuffix("/orders") {
                let body = try JSONValue(parsing: request.body)
                let key = request.headers["Idempotency-Key"] ?? ""
                let id = orders.withLock { orders in
                    let id = orders[key] ?? "o-\(orders.count + 1)"
                    orders[key] = id
                    return id
                }
                methods.withLock { $0[id] = body["paymentMethod"]?.text }
                return .json(order("placed", payment: "requested", id: id), status: 202)
            }
            let id = String(request.url.split(separator: "/orders/")[1].prefix { $0 != "/" })
            if request.url.hasSuffix("/cancel") {
                methods.withLock { $0[id] = "cancelled" }
                return .json(order("cancelled", payment: "captured", id: id), status: 202)
            }
            switch methods.withLock({ $0[id] }) {
            case "pm_card_chargeDeclined": return .json(order("rejected", payment: "declined", id: id))
            case "cancelled": return .json(order("cancelled", payment: "refunded", id: id))
            default: return .json(order("confirmed", payment: "captured", id: id))
            }
        }
    }

    @Test("plays every scenario to its end, a line per step", arguments: Scenario.allCases)
    func everyScenario(scenario: Scenario) async {
        let broker = FakeBroker()
        let outcome = await warren("trigger \(scenario.rawValue)", http: Self.shop(), broker: broker)
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(outcome.lines.count >= 2)
        #expect(outcome.lines.allSatisfy { $0.hasPrefix("[\(scenario.rawValue)] ") })
    }

    @Test("tells its steps as JSON, in the order in which they happen")
    func json() async {
        let outcome = await warren("trigger cancelled -o jsonl", http: Self.shop())
        #expect(outcome.records.compactMap { $0["step"]?.text } == ["place", "wait", "cancel", "wait"])
        #expect(Set(outcome.records.compactMap { $0["order"]?.text }) == ["o-1"])
    }

    @Test("publishes a duplicate under one id, and a poison that no handler of its type reads")
    func events() async throws {
        let broker = FakeBroker()
        _ = await warren("trigger duplicate", http: Self.shop(), broker: broker)
        #expect(broker.events.count == 2)
        #expect(broker.events[0] == broker.events[1])
        _ = try OrderConfirmed(decodingData: broker.events[0].data)

        let outcome = await warren("trigger poison -o json", http: Self.shop(), broker: broker)
        let poison = try #require(broker.events.last)
        #expect(poison.type == OrderPaymentRequested.type)
        #expect(throws: (any Error).self) { try OrderPaymentRequested(decodingData: poison.data) }
        let steps = try #require(try JSONValue(parsing: Array(outcome.data.utf8)).array)
        #expect(steps.last?["deadLetter"]?.text == "payment-17")
    }

    @Test("publishes an order to a customer whom no mail can reach, and finds it at Notification")
    func mailBounce() async throws {
        let broker = FakeBroker()
        let outcome = await warren("trigger mail-bounce -o jsonl", http: Self.shop(), broker: broker)
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
        let outcome = await warren("trigger happy --count 3 -o jsonl", http: Self.shop())
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
