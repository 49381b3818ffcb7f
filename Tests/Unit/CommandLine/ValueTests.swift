import JSON
import ServiceKit
import Testing

@testable import CommandLine

@Suite("Ids of dead letters")
struct DeadLetterIDTests {
    private static let services = ["order", "payment", "notification"].enumerated().map { index, name in
        KnownService(name: name, url: "http://127.0.0.1:\(9081 + index)")
    }

    @Test("name the service and the number, and are written as they are read")
    func qualified() throws {
        let id = try DeadLetterID("payment-17", services: Self.services)
        #expect(id == DeadLetterID(service: Self.services[1], number: "17"))
        #expect(String(describing: id) == "payment-17")
    }

    @Test("are bare numbers where one service is named")
    func bare() throws {
        #expect(
            try DeadLetterID("17", services: [Self.services[0]])
                == DeadLetterID(service: Self.services[0], number: "17")
        )
        #expect(throws: UsageError.self) { try DeadLetterID("17", services: Self.services) }
    }

    @Test(
        "that are none are refused",
        arguments: [
            "", "payment", "payment-", "payment-x", "-17", "payment-1-7", "17a", "payment-99999999999999999999", "١٧",
            "payment- 1", "order-17",
        ]
    )
    func refused(text: String) {
        #expect(throws: UsageError.self) { try DeadLetterID(text, services: Array(Self.services.dropFirst())) }
    }

    @Test("of a mistyped service are guessed at")
    func suggestion() {
        do {
            _ = try DeadLetterID("paymnet-17", services: Self.services)
            Issue.record("accepted")
        } catch let error as UsageError {
            #expect(error.mend == "Did you mean `payment-17`?")
        } catch {
            Issue.record(error)
        }
    }
}

@Suite("Durations and moments")
struct TimeTests {
    @Test("are read in every unit and in no other form")
    func durations() {
        #expect(DurationText.parse("500ms") == .milliseconds(500))
        #expect(DurationText.parse("10s") == .seconds(10))
        #expect(DurationText.parse("5m") == .seconds(300))
        #expect(DurationText.parse("24h") == .seconds(86_400))
        #expect(DurationText.parse("0s") == .zero)
        for text in ["", "10", "s", "-1s", "1.5s", "10 s", "1d", "99999999999999999999s", "9223372036854775807h"] {
            #expect(DurationText.parse(text) == nil, "\(text)")
        }
    }

    @Test("are written for people")
    func describing() {
        #expect(DurationText.describe(.milliseconds(850)) == "850 ms")
        #expect(DurationText.describe(.milliseconds(12_340)) == "12.3 s")
        #expect(DurationText.describe(.seconds(30)) == "30 s")
    }

    @Test("may be so long ago, or a time with any offset")
    func moments() throws {
        #expect(try MomentText.parse("2h", option: "from", now: 7_200_000) == "1970-01-01T00:00:00.000Z")
        #expect(try MomentText.parse("2026-01-31T13:00:00+01:00", option: "from") == "2026-01-31T12:00:00.000Z")
        #expect(throws: UsageError.self) { try MomentText.parse("yesterday", option: "from") }
    }

    @Test("between two looks grow from 100 ms to a second and end with the deadline")
    func polling() {
        var schedule = PollSchedule()
        var pauses: [Int64] = []
        var remaining = Duration.seconds(5)
        while let pause = schedule.next(remaining: remaining) {
            pauses.append(DurationText.milliseconds(pause))
            remaining -= pause
        }
        #expect(pauses == [100, 150, 225, 337, 506, 759, 1000, 1000, 921])
        #expect(remaining == .zero)
    }
}

@Suite("JSON")
struct JSONValueTests {
    @Test("keeps whole numbers exact, and every kind of value")
    func roundTrip() throws {
        let text = #"{"a":9007199254740993,"b":[true,null,"x"],"c":{"d":1.5},"e":-9223372036854775808}"#
        #expect(try JSONValue(parsing: Array(text.utf8)).encoded() == text)
    }

    @Test("that is none is refused", arguments: ["", "{", "{\"a\":}", "nul", "{\"a\" 1}"])
    func refused(text: String) {
        #expect(throws: (any Error).self) { try JSONValue(parsing: Array(text.utf8)) }
    }

    @Test("is read by paths")
    func paths() throws {
        let value = try JSONValue(parsing: Array(#"{"payment":{"status":"captured","note":null}}"#.utf8))
        #expect(value.member(at: "payment.status")?.text == "captured")
        #expect(value.member(at: "payment.note") == nil)
        #expect(value.member(at: "other.status") == nil)
    }
}

@Suite("Metrics")
struct MetricsTextTests {
    @Test("are summed over their labels, and not taken for others of a longer name")
    func sums() {
        let text = "# HELP a b\n# TYPE a counter\na{x=\"1 }\"} 2\na{x=\"2\"} 3.5 1700000000\na 1\na_other 100\n"
        #expect(MetricsText.sum(of: "a", in: text) == 6.5)
        #expect(MetricsText.sum(of: "none", in: text) == 0)
    }
}
