import JSON
import ServiceKit
import Testing

@testable import CommandLine

@Suite("Services that the command knows")
struct KnownServiceTests {
    /// Two services that are no part of the shop; each answers with the name that it has.
    ///
    /// New for each test, since it remembers what it was asked and tests run side by side.
    private let services = FakeServices { request in
        let isLoyalty = request.url.hasPrefix("http://127.0.0.1:9000")
        let name: JSONValue = isLoyalty ? "loyalty" : "gift-card"
        if request.url.contains("/readyz") { return .text("[+] database ok\n") }
        if request.url.contains("/dead-letters") {
            return .json(["service": name, "items": [["id": "17", "state": "dead"]], "next": .null])
        }
        return .json(["service": name, "dead": .integer(1)])
    }

    @Test("are those that the variable lists, any that is built on the kit")
    func listed() async {
        let environment = ["WARREN_SERVICES": "loyalty=http://127.0.0.1:9000/, gift-card=http://127.0.0.1:9001"]
        let status = await warren("status -o jsonl", environment: environment, http: services)
        #expect(status.code == 0, "\(status.messages)")
        #expect(status.records.compactMap { $0["service"]?.text } == ["loyalty", "gift-card"])
        let letters = await warren("dlq list -o jsonl", environment: environment, http: services)
        #expect(letters.records.compactMap { $0["id"]?.text } == ["loyalty-17", "gift-card-17"])
        _ = await warren("dlq retry gift-card-17", environment: environment, http: services)
        #expect(services.lines.last == "POST http://127.0.0.1:9001/dead-letters/17/retry")
    }

    @Test("are those of the option, in place of the variable's, and --service chooses among them")
    func option() async {
        let services = FakeServices { _ in .json(["items": [], "next": .null]) }
        let environment = ["WARREN_SERVICES": "order=http://order.test"]
        _ = await warren(
            "dlq list --service-url a=http://a.test --service-url b=http://b.test --service b",
            environment: environment,
            http: services
        )
        #expect(services.lines == ["GET http://b.test/dead-letters?limit=50"])
        let wrong = await warren("dlq list --service loyalti --service-url loyalty=http://a.test", http: services)
        #expect(wrong.code == 2)
        #expect(wrong.messages.contains("Did you mean `loyalty`?"))
    }

    @Test("are asked for their names where none is written")
    func unnamed() async {
        let environment = ["WARREN_SERVICES": "http://127.0.0.1:9000,http://127.0.0.1:9001"]
        let letters = await warren("dlq list -o jsonl", environment: environment, http: services)
        #expect(letters.records.compactMap { $0["id"]?.text } == ["loyalty-17", "gift-card-17"])
        // Who does not answer goes by its address.
        let away = await warren("status -o jsonl --service-url http://127.0.0.1:9002", http: FakeServices())
        #expect(away.code == 7)
        #expect(away.records.first?["service"]?.text == "http://127.0.0.1:9002")
    }

    @Test("are not taken for one another: a name that is not the service's own is said")
    func mistaken() async {
        let environment = ["WARREN_SERVICES": "gift-card=http://127.0.0.1:9000"]
        let outcome = await warren("dlq list", environment: environment, http: services)
        #expect(outcome.code == 1)
        #expect(outcome.messages.contains("calls itself `loyalty`, not `gift-card`"))
        #expect(outcome.messages.contains("loyalty=http://127.0.0.1:9000"))
    }

    @Test(
        "are refused where it cannot be understood which and where they are",
        arguments: [
            "loyalty", "loyalty=", "=http://a.test", "loyalty=ftp://a.test", "a b=http://a.test", "a=http://a b",
            "a=http://a.test,a=http://b.test",
        ]
    )
    func refused(text: String) async {
        let outcome = await warren("status", environment: ["WARREN_SERVICES": text], http: FakeServices())
        #expect(outcome.code == 2)
        #expect(outcome.messages.contains("`warren status --help` shows how it is used."))
    }

    @Test("need not be the shop's, but the shop's commands say which one they miss")
    func missed() async {
        let outcome = await warren("trigger poison", environment: ["WARREN_SERVICES": "loyalty=http://a.test"])
        #expect(outcome.code == 2)
        #expect(outcome.messages.contains("there is no service `payment` among those that are known"))
    }

    @Test("complete --service by their names")
    func completion() async {
        let environment = ["WARREN_SERVICES": "loyalty=http://a.test,gift-card=http://b.test"]
        for shell in ["bash", "zsh", "fish"] {
            let script = await warren("completion \(shell)", environment: environment).data
            #expect(script.contains("loyalty gift-card"), "\(shell)")
        }
    }
}
