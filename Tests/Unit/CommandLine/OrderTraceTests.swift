import HTTP
import JSON
import ServiceKit
import Testing

@testable import CommandLine

@Suite("warren order trace")
struct OrderTraceTests {
    private static func event(
        _ type: String,
        id: String,
        because cause: String? = nil,
        at second: Int,
        data: JSONValue = [:]
    ) -> JSONValue {
        var event: JSONValue = [
            "id": .string(id), "type": .string("dev.warren.\(type)"), "subject": "o-1",
            "time": .string("2026-01-01T00:00:0\(second).000Z"), "data": data,
        ]
        if let cause { event["causationid"] = .string(cause) }
        return event
    }

    private static func shop(deadMail: Bool = true) -> FakeServices {
        FakeServices { answer($0, deadMail: deadMail) }
    }

    /// Order on a clock that is two seconds slow, Payment, and Notification with a dead mail.
    private static func answer(_ request: ServiceRequest, deadMail: Bool = true) -> ServiceResponse {
        let service = request.url.contains(":9081") ? "order" : request.url.contains(":9082") ? "payment" : "other"
        if request.url.contains("/dead-letters") {
            let letter: JSONValue = [
                "id": "7", "state": "dead", "type": "dev.warren.order.confirmed", "errorClass": "mail.refused",
                "error": "550 no such user",
            ]
            return .json(["items": service == "other" && deadMail ? [letter] : [], "next": .null])
        }
        let events: [JSONValue] =
            switch service {
            case "order":
                [
                    event("order.placed", id: "a", at: 1),
                    event("order.payment-requested", id: "b", at: 1),
                    event("order.confirmed", id: "d", because: "c", at: 2),
                ]
            case "payment":
                [
                    event(
                        "payment.captured",
                        id: "c",
                        because: "b",
                        at: 4,
                        data: ["orderID": "o-1", "total": ["amount": 1999, "currency": "EUR"]]
                    )
                ]
            default: []
            }
        // Two on a page.
        let after = request.url.contains("after=2") ? 2 : 0
        let page = Array(events.dropFirst(after).prefix(2))
        var response = ServiceResponse.json(.array(page))
        let next = after + page.count
        response.headers = [
            "Warren-Next-Position": String(next), "Warren-Head-Position": String(events.count),
        ]
        return response
    }

    @Test("tells what all services have said, a cause before its effect whatever their clocks say")
    func story() async {
        let services = Self.shop()
        let outcome = await warren("order trace o-1 -o jsonl", http: services)
        #expect(outcome.code == 0, "\(outcome.messages)")
        let events = outcome.records.filter { $0["kind"]?.text == "event" }
        #expect(events.compactMap { $0["id"]?.text } == ["a", "b", "c", "d"])
        #expect(events.compactMap { $0["service"]?.text } == ["order", "order", "payment", "order"])
        #expect(events.last?["cause"]?.text == "dev.warren.payment.captured")
        #expect(services.lines.filter { $0.contains("/events") }.allSatisfy { $0.contains("subject=o-1") })
        #expect(services.lines.count { $0.contains(":9081/events") } == 2, "all pages")
    }

    @Test("says what is outstanding, wherever it lies")
    func outstanding() async {
        let table = await warren("order trace o-1", http: Self.shop())
        #expect(table.data.contains("total=19.99 EUR"))
        #expect(!table.data.contains("orderID="))
        let outstanding = table.data.split(separator: "Outstanding").last ?? ""
        #expect(outstanding.contains("notification-7"))
        #expect(outstanding.contains("550 no such user"))
        let services = Self.shop(deadMail: false)
        let well = await warren("order trace o-1", http: services)
        #expect(well.data.hasSuffix("Outstanding\nnothing\n"))
        let asked = services.lines.filter { $0.contains("/dead-letters") }
        #expect(asked.count == 3)
        #expect(asked.allSatisfy { $0.contains("state=dead&state=scheduled&state=held") })
    }

    @Test("tells what it can where a service is away, and which one that is")
    func away() async {
        let services = FakeServices { request in
            if request.url.contains(":9082") { throw TransportFailure(reason: "refused") }
            return Self.answer(request)
        }
        let outcome = await warren("order trace o-1 -o jsonl", http: services)
        #expect(outcome.code == ExitCode.partlyFailed.rawValue)
        #expect(outcome.records.compactMap { $0["id"]?.text } == ["a", "b", "d", "notification-7"])
        #expect(outcome.messages.contains("payment"))
    }

    @Test("knows an order that nobody has heard of")
    func unknown() async {
        let services = FakeServices { request in
            if request.url.contains("/dead-letters") { return .json(["items": [], "next": .null]) }
            var response = ServiceResponse.json([])
            response.headers = ["Warren-Next-Position": "0", "Warren-Head-Position": "0"]
            return response
        }
        let outcome = await warren("order trace nobody", http: services)
        #expect(outcome.code == ExitCode.notFound.rawValue)
        #expect(outcome.messages.contains("no service has anything about `nobody`"))
        #expect(outcome.messages.contains("warren order list"))
    }

    @Test("breaks a circle of causes by time, rather than go round in it")
    func circle() {
        let one = Self.event("a", id: "1", because: "2", at: 2)
        let two = Self.event("b", id: "2", because: "1", at: 1)
        let story = OrderTrace.merged([("x", [one]), ("y", [two])])
        #expect(story.compactMap { $0["id"]?.text } == ["2", "1"])
    }
}
