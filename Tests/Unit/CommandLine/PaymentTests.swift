import Events
import JSON
import ServiceKit
import Telemetry
import Testing

@testable import CommandLine

@Suite("warren payments")
struct PaymentTests {
    /// A day's reconciliation as Payment answers it.
    private static func answer(_ differences: [JSONValue], of day: String = "2026-01-31") -> JSONValue {
        [
            "day": .string(day), "charges": .integer(12), "refunds": .integer(1), "disputes": .integer(0),
            "differences": .array(differences),
        ]
    }

    private static let differences: [JSONValue] = [
        [
            "kind": "other-amount", "object": "charge", "id": "pi_1", "orderID": "o-1",
            "atProvider": ["amount": .integer(1999), "currency": "EUR"],
            "inLedger": ["amount": .integer(999), "currency": "EUR"], "mend": "Compare both with the order.",
        ],
        [
            "kind": "not-in-ledger", "object": "refund", "id": "re_1",
            "atProvider": ["amount": .integer(5), "currency": "JPY"],
            "mend": "Have the provider send\u{1B}[2J the webhook again: Payment then looks it up, and books it.",
        ],
    ]

    @Test("shows each difference and what to do about it, and ends with 5")
    func differ() async throws {
        let services = FakeServices { _ in .json(Self.answer(Self.differences)) }
        let outcome = await warren("payments reconcile --day 2026-01-31", http: services)
        #expect(outcome.code == 5)
        #expect(services.lines == ["GET http://127.0.0.1:8082/reconciliations/2026-01-31"])
        #expect(services.requests.first?.timeout == .seconds(300))
        #expect(
            outcome.lines == [
                "DIFFERENCE     OBJECT  ID    ORDER  AT PROVIDER  IN LEDGER",
                "other-amount   charge  pi_1  o-1      19.99 EUR   9.99 EUR",
                "not-in-ledger  refund  re_1               5 JPY          -",
                "What to do",
                "pi_1: Compare both with the order.",
                "re_1: Have the provider send\\u{1b}[2J the webhook again: Payment then looks it up, and books it.",
            ],
            "\(outcome.data)"
        )
        let summary = "the books differ in 2 places; 2026-01-31: 12 charges, 1 refunds, 0 disputes"
        #expect(outcome.messages.contains(summary))
        let lines = await warren("payments reconcile --day 2026-01-31 -o jsonl", http: services)
        #expect(lines.code == 5)
        #expect(lines.records == Self.differences)
        let whole = await warren("payments reconcile --day 2026-01-31 -o json", http: services)
        #expect(try JSONValue(parsing: Array(whole.data.utf8)) == .array(Self.differences))
    }

    @Test("ends with 0 where the books agree, and says what was looked at")
    func agree() async {
        let services = FakeServices { _ in .json(Self.answer([])) }
        let outcome = await warren("payments reconcile --day 2026-01-31 --timeout 10m", http: services)
        #expect(outcome.code == 0)
        #expect(outcome.data.isEmpty)
        #expect(outcome.messages.contains("12 charges, 1 refunds, 0 disputes"))
        #expect(outcome.messages.contains("the books agree"))
        #expect(services.requests.first?.timeout == .seconds(600))
        #expect(await warren("payments reconcile --day 2026-01-31 -o json", http: services).data == "[\n\n]\n")
        #expect(await warren("payments reconcile --day 2026-01-31 -o jsonl", http: services).data.isEmpty)
    }

    @Test("takes yesterday where no day is said")
    func yesterday() async throws {
        let now = try #require(Timestamp(rfc3339: "2026-03-01T00:00:00Z")).milliseconds
        #expect(try DayText.parse(nil, now: now) == "2026-02-28")
        #expect(try DayText.parse(nil, now: now - 1) == "2026-02-27")
        let services = FakeServices()
        let before = DayText.day(at: WallClock.milliseconds() - 86_400_000)
        _ = await warren("payments reconcile", http: services)
        let after = DayText.day(at: WallClock.milliseconds() - 86_400_000)
        let asked = try #require(services.lines.first)
        #expect([before, after].contains { asked == "GET http://127.0.0.1:8082/reconciliations/\($0)" }, "\(asked)")
    }

    @Test(
        "refuses a day that is none, and asks nobody",
        arguments: ["2026-02-29", "2026-1-1", "yesterday", "2026-01-01T00:00:00Z", "20260101", "", "2026-01-0a"]
    )
    func noDay(text: String) async {
        let services = FakeServices { _ in .json(Self.answer([])) }
        let outcome = await warren("payments reconcile", "--day", text, http: services)
        #expect(outcome.code == 2)
        #expect(outcome.messages.contains("--day cannot be `\(text)`\n  It is a day in UTC, YYYY-MM-DD, such as 2"))
        #expect(services.requests.isEmpty)
    }

    @Test("refuses a day that has not begun, and takes one that is not over")
    func future() async throws {
        let now = try #require(Timestamp(rfc3339: "2026-02-28T23:59:59.999Z")).milliseconds
        #expect(try DayText.parse("2026-02-28", now: now) == "2026-02-28")
        #expect(try DayText.parse("2026-03-01", now: now + 1) == "2026-03-01")
        let refusal = #expect(throws: UsageError.self) { try DayText.parse("2026-03-01", now: now) }
        #expect(refusal?.message == "--day cannot be `2026-03-01`: it has not begun")
        #expect(refusal?.mend == "In UTC it is 2026-02-28 now; the last day that is over is 2026-02-27.")
        let services = FakeServices()
        #expect(await warren("payments reconcile --day 9999-12-31", http: services).code == 2)
        #expect(services.requests.isEmpty)
    }

    @Test("goes where the option says, else the variable, with the token for the shop's own APIs")
    func address() async {
        let services = FakeServices { _ in .json(Self.answer([])) }
        let environment = [
            "WARREN_PAYMENT_URL": "http://payment.test/", "WARREN_ORDER_URL": "http://order.test",
            "WARREN_API_TOKEN": "shop's", "WARREN_OPERATIONS_TOKEN": "secret",
        ]
        _ = await warren("payments reconcile --day 2026-01-31", environment: environment, http: services)
        #expect(services.requests.last?.headers["Authorization"] == "Bearer shop's")
        _ = await warren(
            "payments reconcile --day 2026-01-31 --payment-url https://other.test",
            environment: environment,
            http: services
        )
        #expect(
            services.lines == [
                "GET http://payment.test/reconciliations/2026-01-31",
                "GET https://other.test/reconciliations/2026-01-31",
            ]
        )
        let wrong = await warren("payments reconcile", environment: ["WARREN_PAYMENT_URL": "payment:8082"])
        #expect(wrong.code == 2)
        #expect(wrong.messages.contains("--payment-url or WARREN_PAYMENT_URL is a URL such as http://127.0.0.1:8082."))
    }

    @Test(
        "ends with the code that says what went wrong, and never with 5",
        arguments: [
            (403, 4, "WARREN_API_TOKEN"), (401, 4, "WARREN_API_TOKEN"), (502, 1, "payment: it said: why"),
            (503, 1, "it said"), (504, 7, "it said"), (408, 7, "--timeout"), (404, 3, "it said"),
        ]
    )
    func problems(status: Int, code: Int32, text: String) async {
        let services = FakeServices { _ in .problem(status, "it said", detail: "why") }
        let outcome = await warren("payments reconcile", http: services)
        #expect(outcome.code == code)
        #expect(outcome.data.isEmpty)
        #expect(outcome.messages.contains(text), "\(outcome.messages)")
    }

    @Test("ends with 7 where Payment is away, and where it does not answer in time")
    func unreachable() async {
        let away = await warren("payments reconcile", http: FakeServices())
        #expect(away.code == 7)
        #expect(away.messages.contains("payment cannot be reached at http://127.0.0.1:8082: refused"))
        #expect(away.messages.contains("--payment-url or WARREN_PAYMENT_URL"))
        let slow = FakeServices { _ in throw TransportFailure(reason: "no answer in time", mayHaveArrived: true) }
        let silent = await warren("payments reconcile", http: slow)
        #expect(silent.code == 7)
        #expect(silent.messages.contains("--timeout lets it take longer"))
    }

    @Test(
        "takes no answer for the books' agreement that is none",
        arguments: [[:], answer([], of: "2026-01-30"), ["day": "2026-01-31"], "fine"] as [JSONValue]
    )
    func stranger(answer: JSONValue) async {
        let services = FakeServices { _ in .json(answer) }
        let outcome = await warren("payments reconcile --day 2026-01-31", http: services)
        #expect(outcome.code == 1)
        #expect(outcome.messages.contains("no reconciliation of 2026-01-31"))
        #expect(outcome.messages.contains("--payment-url or WARREN_PAYMENT_URL leads to a service built on Warren"))
    }
}
