import Events
import HTTP
import JSON
import Messaging
import ServiceTestSupport
import ShopEvents
import Synchronization
import TestSupport
import Testing

@testable import Sandbox
@testable import Shipping

@Suite("The gateway to the courier, over HTTP", .timeLimit(.minutes(5)))
struct CourierGatewayTests {
    /// What the gateway can be asked.
    enum Question: String, Sendable, CaseIterable {
        case book, lookUp, callOff

        /// The courier's call by which it is asked.
        var call: CourierFault.Call {
            switch self {
            case .book: .put
            case .lookUp: .get
            case .callOff: .delete
            }
        }

        /// What it is answered on a good day, after the first address was booked.
        var usual: Shipment.Word {
            switch self {
            case .book: .booked(version: 2)
            case .lookUp: .booked(version: 1)
            case .callOff: .calledOff
            }
        }

        func ask(_ gateway: CourierGateway, version: Int = 2) async throws -> Shipment.Word {
            switch self {
            case .book: try await gateway.book("o-1", ShipmentTests.address(version), version: version)
            case .lookUp: try await gateway.lookUp("o-1")
            case .callOff: try await gateway.callOff("o-1")
            }
        }
    }

    private static func failure(_ work: () async throws -> Shipment.Word) async throws -> HandlerError {
        let error = await #expect(throws: HandlerError.self) { try await work() }
        return try #require(error)
    }

    // MARK: The sandbox

    @Test("Books, replaces an address, learns that another is newer, and looks up what became of it")
    func addresses() async throws {
        try await CourierWorld.open { world async throws in
            let gateway = world.gateway()
            #expect(try await gateway.lookUp("o-1") == .unknown)
            #expect(try await Question.book.ask(gateway, version: 1) == .booked(version: 1))
            #expect(try await Question.book.ask(gateway, version: 3) == .booked(version: 3))
            #expect(try await Question.book.ask(gateway, version: 3) == .booked(version: 3))
            #expect(try await Question.book.ask(gateway, version: 2) == .booked(version: 3))
            #expect(try await gateway.lookUp("o-1") == .booked(version: 3))
            #expect(try await world.effects() == ["address-taken 1", "address-taken 3"])
            let taken = try await world.control("GET", "courier/effects").json["effects"][1]
            #expect(try taken["address"]?.decode(PostalAddress.self) == ShipmentTests.address(3))
        }
    }

    @Test("Where the courier goes not, it says so; what it had before stays")
    func unknownAddress() async throws {
        try await CourierWorld.open { world async throws in
            let gateway = world.gateway()
            let nowhere = PostalAddress(name: "A", lines: ["1"], postalCode: "1", city: "Nowhere", country: "GB")
            let refused = Shipment.Word.refused(version: 1, reason: "unknown_address")
            #expect(try await gateway.book("o-1", nowhere, version: 1) == refused)
            #expect(try await gateway.lookUp("o-1") == .unknown)
            #expect(try await Question.book.ask(gateway, version: 2) == .booked(version: 2))
            #expect(
                try await gateway.book("o-1", nowhere, version: 3)
                    == .refused(version: 3, reason: "unknown_address")
            )
            #expect(try await gateway.lookUp("o-1") == .booked(version: 2))
        }
    }

    @Test("Of a parcel that has left or arrived every answer tells")
    func parcels() async throws {
        try await CourierWorld.open { world async throws in
            let gateway = world.gateway()
            _ = try await Question.book.ask(gateway, version: 1)
            try await world.move()
            let code = try #require(try await world.ask("GET").json["trackingCode"].text)
            let parcel = Shipment.Parcel(trackingCode: code, version: 1)
            #expect(try await gateway.lookUp("o-1") == .dispatched(parcel))
            #expect(try await Question.book.ask(gateway, version: 2) == .dispatched(parcel))
            try await world.move()
            #expect(try await gateway.lookUp("o-1") == .delivered(parcel))
            #expect(try await Question.book.ask(gateway, version: 2) == .delivered(parcel))
            #expect(try await gateway.callOff("o-1") == .delivered(parcel))
        }
    }

    @Test("Calls off, also what was never booked, and back what has left")
    func callsOff() async throws {
        try await CourierWorld.open { world async throws in
            let gateway = world.gateway()
            #expect(try await gateway.callOff("o-1") == .calledOff)
            #expect(try await gateway.callOff("o-1") == .calledOff)
            #expect(try await Question.book.ask(gateway) == .calledOff)
            #expect(try await gateway.lookUp("o-1") == .calledOff)
            _ = try await gateway.book("o-2", ShipmentTests.address(1), version: 1)
            try await world.move("o-2")
            let code = try #require(try await world.ask("GET", "o-2").json["trackingCode"].text)
            let parcel = Shipment.Parcel(trackingCode: code, version: 1)
            #expect(try await gateway.callOff("o-2") == .returning(parcel))
            #expect(try await gateway.lookUp("o-2") == .returning(parcel))
            #expect(try await gateway.book("o-2", ShipmentTests.address(2), version: 2) == .dispatched(parcel))
        }
    }

    @Test("An id is one segment of the path, whatever is in it", arguments: ["a/b", "a%2Fb", "ü ?#&", "...", "a+b"])
    func ids(id: String) async throws {
        try await CourierWorld.open { world async throws in
            let gateway = world.gateway()
            #expect(try await gateway.book(id, ShipmentTests.address(1), version: 1) == .booked(version: 1))
            #expect(try await gateway.lookUp(id) == .booked(version: 1))
            #expect(try await world.effects(id) == ["address-taken 1"])
            #expect(try await gateway.callOff(id) == .calledOff)
        }
    }

    @Test("A key that is not accepted is put off and names the setting", arguments: Question.allCases)
    func wrongKey(question: Question) async throws {
        try await CourierWorld.open { world async throws in
            let error = try await Self.failure { try await question.ask(world.gateway(key: "sk_other")) }
            #expect(error.errorClass == "courier.unavailable")
            #expect(error.message.contains("SHIPPING_COURIER_KEY"))
            #expect(!error.message.contains("sk_other"))
            #expect(error.isDeferred(by: 60_000))
        }
    }

    /// A bad day of the courier's, and what the gateway makes of it.
    struct BadDay: Sendable, CustomTestStringConvertible {
        enum Outcome: Sendable {
            /// Asked again after so many milliseconds, without costing an attempt.
            case deferred(Int64)
            /// Asked again, by the policy of retries.
            case unreadable
            /// A person's.
            case contradiction
            /// The answer comes all the same.
            case answered
            /// An answer that the shipment has to be held against.
            case otherVersion
        }

        let question: Question
        let kind: CourierFault.Kind

        static let all = Question.allCases.flatMap { question in
            CourierFault.Kind.allCases.filter { $0.strikes(question.call) }.map { BadDay(question: question, kind: $0) }
        }

        var testDescription: String { "\(question.rawValue) \(kind.rawValue)" }

        var outcome: Outcome {
            switch kind {
            case .unavailable, .errorAfter, .timeout: .deferred(60_000)
            case .rateLimit: .deferred(1000)
            case .reset: .unreadable
            case .wrongID: .contradiction
            case .wrongVersion:
                switch question {
                case .book: .contradiction
                case .lookUp: .otherVersion
                // What is called off goes nowhere, whichever address it had.
                case .callOff: .answered
                }
            case .slow, .twice, .lost, .forged, .old: .answered
            }
        }
    }

    @Test("A bad day is put off, tried again or a person's, and asking on gets the answer", arguments: BadDay.all)
    func badDays(day: BadDay) async throws {
        try await CourierWorld.open { world async throws in
            let gateway = world.gateway(timeout: day.kind == .timeout ? .milliseconds(300) : .seconds(60))
            _ = try await Question.book.ask(gateway, version: 1)
            try await world.plan(day.kind, for: day.question.call, delay: 50)
            switch day.outcome {
            case .deferred(let pause):
                let error = try await Self.failure { try await day.question.ask(gateway) }
                #expect(error.errorClass == "courier.unavailable")
                #expect(error.isDeferred(by: pause), "\(error.kind)")
            case .unreadable:
                let error = try await Self.failure { try await day.question.ask(gateway) }
                #expect(error.errorClass == "courier.unreadable")
                #expect(error.kind == .transient)
            case .contradiction:
                let error = try await Self.failure { try await day.question.ask(gateway) }
                #expect(error.errorClass == "courier.contradiction")
                #expect(error.kind == .permanent)
            case .answered: #expect(try await day.question.ask(gateway) == day.question.usual)
            case .otherVersion: #expect(try await day.question.ask(gateway) == .booked(version: 8))
            }
            #expect(try await world.gateway().ask(day.question) == day.question.usual)
        }
    }

    @Test("A courier that is not there is put off")
    func nobody() async throws {
        let client = HTTPClient()
        defer { client.close() }
        let gateway = CourierGateway.trying("http://127.0.0.1:\(try FreePort.next())", client)
        for question in Question.allCases {
            let error = try await Self.failure { try await question.ask(gateway) }
            #expect(error.errorClass == "courier.unavailable")
            #expect(error.isDeferred(by: 60_000))
        }
    }

    // MARK: Others

    /// What somebody answers, and what the gateway makes of it.
    struct Answer: Sendable, CustomTestStringConvertible {
        let question: Question
        let status: Int
        let body: String
        let outcome: Outcome

        enum Outcome: Sendable, Equatable {
            case word(Shipment.Word)
            case transient(String)
            case permanent(String)
            case deferred
        }

        init(_ question: Question, _ status: Int, _ body: String, _ outcome: Outcome) {
            self.question = question
            self.status = status
            self.body = body
            self.outcome = outcome
        }

        static func shipment(_ state: String, id: String = "o-1", version: Int = 2, code: String? = nil) -> String {
            let code = code.map { #","trackingCode":"\#($0)""# } ?? ""
            return #"{"id":"\#(id)","version":\#(version),"state":"\#(state)"\#(code)}"#
        }

        static func error(_ code: String, _ members: String = "") -> String {
            #"{"error":{"code":"\#(code)"\#(members.isEmpty ? "" : ",\(members)")}}"#
        }

        var testDescription: String { "\(question.rawValue): \(status) \(body.prefix(80))" }
    }

    private static let lies: [Answer] = [
        // Another address than was given, another shipment, a state that a booking cannot come to.
        Answer(.book, 200, Answer.shipment("booked", version: 1), .permanent("courier.contradiction")),
        Answer(.book, 201, Answer.shipment("booked", id: "o-2"), .permanent("courier.contradiction")),
        Answer(.book, 200, Answer.shipment("called_off"), .permanent("courier.contradiction")),
        Answer(.book, 200, Answer.shipment("dispatched", code: "T-1"), .permanent("courier.contradiction")),
        Answer(.book, 409, Answer.error("stale_address", #""version":2"#), .permanent("courier.contradiction")),
        Answer(.book, 409, Answer.error("stale_address"), .permanent("courier.contradiction")),
        Answer(
            .book,
            409,
            Answer.error("stale_address", #""id":"o-2","version":3"#),
            .permanent("courier.contradiction")
        ),
        // A parcel without a name, with one that is none, without an address.
        Answer(.book, 409, Answer.error("already_dispatched", #""version":1"#), .permanent("courier.contradiction")),
        Answer(
            .book,
            409,
            Answer.error("already_dispatched", #""version":1,"trackingCode":"a b""#),
            .permanent("courier.contradiction")
        ),
        Answer(
            .book,
            409,
            Answer.error("already_delivered", #""trackingCode":"T-1""#),
            .permanent("courier.contradiction")
        ),
        Answer(.lookUp, 200, Answer.shipment("dispatched", code: ""), .permanent("courier.contradiction")),
        Answer(
            .lookUp,
            200,
            Answer.shipment("delivered", code: String(repeating: "a", count: 65)),
            .permanent("courier.contradiction")
        ),
        Answer(.lookUp, 200, Answer.shipment("lost"), .permanent("courier.contradiction")),
        Answer(.lookUp, 200, Answer.shipment("booked", id: ""), .permanent("courier.contradiction")),
        // It was to be called off, and goes on.
        Answer(.callOff, 200, Answer.shipment("booked"), .permanent("courier.contradiction")),
        Answer(.callOff, 200, Answer.shipment("dispatched", code: "T-1"), .permanent("courier.contradiction")),
        Answer(.callOff, 409, Answer.error("already_delivered"), .permanent("courier.contradiction")),
        // Refusals that are none of a good courier's.
        Answer(.book, 400, Answer.error("invalid_request"), .permanent("courier.refused")),
        Answer(.book, 404, Answer.error("unknown_shipment"), .permanent("courier.refused")),
        Answer(.book, 409, Answer.error("on_holiday"), .permanent("courier.refused")),
        Answer(.book, 422, Answer.error("too_heavy"), .permanent("courier.refused")),
        Answer(.lookUp, 404, Answer.error("no_such_route"), .permanent("courier.refused")),
        Answer(.lookUp, 410, Answer.error("gone"), .permanent("courier.refused")),
        Answer(.callOff, 409, Answer.error("on_holiday"), .permanent("courier.refused")),
        Answer(.callOff, 404, Answer.error("unknown_shipment"), .permanent("courier.refused")),
    ]

    private static let noise: [Answer] = [
        "", "<html>It works!</html>", "[]", "{}", "null", #"{"id":"o-1","version":"#, #"{"error":{}}"#,
        #"{"id":"o-1","id":"o-1","version":2,"state":"booked"}"#, "\u{FEFF}{}",
        #"{"id":"o-1","version":2.5,"state":"booked"}"#,
    ]
    .flatMap { body in
        Question.allCases.flatMap { question in
            [200, 202, 204, 301, 302, 400, 404, 405, 409, 422]
                .filter { $0 != 204 || body.isEmpty }
                .map { Answer(question, $0, body, .transient("courier.unreadable")) }
        }
    }

    private static let truths: [Answer] = [
        Answer(.book, 200, Answer.shipment("booked"), .word(.booked(version: 2))),
        Answer(.book, 409, Answer.error("stale_address", #""version":3"#), .word(.booked(version: 3))),
        Answer(.book, 409, Answer.error("called_off"), .word(.calledOff)),
        Answer(.lookUp, 404, Answer.error("unknown_shipment"), .word(.unknown)),
        Answer(.lookUp, 200, Answer.shipment("called_off", version: 0), .word(.calledOff)),
        Answer(.callOff, 200, Answer.shipment("called_off", version: 0), .word(.calledOff)),
        Answer(.lookUp, 408, "", .deferred), Answer(.lookUp, 425, "", .deferred), Answer(.lookUp, 429, "", .deferred),
        Answer(.lookUp, 403, "", .deferred), Answer(.callOff, 502, "<html>", .deferred),
        Answer(.book, 599, "", .deferred),
    ]

    @Test("Lies are a person's, and what is none of the courier's is asked for again", arguments: truths + lies + noise)
    func answers(answer: Answer) async throws {
        try await Self.answering(answer.status, answer.body) { gateway, _ async throws in
            switch answer.outcome {
            case .word(let word): #expect(try await answer.question.ask(gateway) == word)
            case .transient(let errorClass):
                let error = try await Self.failure { try await answer.question.ask(gateway) }
                #expect(error.errorClass == errorClass)
                #expect(error.kind == .transient)
            case .permanent(let errorClass):
                let error = try await Self.failure { try await answer.question.ask(gateway) }
                #expect(error.errorClass == errorClass)
                #expect(error.kind == .permanent)
            case .deferred:
                let error = try await Self.failure { try await answer.question.ask(gateway) }
                #expect(error.errorClass == "courier.unavailable")
                #expect(error.isDeferred(by: 60_000))
            }
        }
    }

    @Test("A refusal names the courier's code where it is one, and nothing that could be an address")
    func codes() async throws {
        for (code, shown) in [("invalid_request", "invalid_request"), ("Ada, 1 Square", "(unreadable)")] {
            try await Self.answering(400, Answer.error(code)) { gateway, _ async throws in
                let error = try await Self.failure { try await Question.book.ask(gateway) }
                #expect(error.message.contains("status 400, code \(shown)"))
            }
        }
    }

    @Test(
        "The courier says until when it cannot, in whole seconds, from one to an hour",
        arguments: [
            ("30", 30_000), ("0", 1000), ("-5", 1000), ("99999999", 3_600_000), ("99999999999999999999", 60_000),
            ("Wed, 21 Oct 2026 07:28:00 GMT", 60_000), ("1.5", 60_000), ("soon", 60_000),
        ] as [(String, Int64)]
    )
    func retryAfter(header: String, pause: Int64) async throws {
        for status in [429, 503] {
            try await Self.answering(status, "", headers: ["Retry-After": header]) { gateway, _ async throws in
                let error = try await Self.failure { try await gateway.lookUp("o-1") }
                #expect(error.isDeferred(by: pause), "\(error.kind)")
            }
        }
    }

    @Test("Sends the key, who it is, and the address with its version")
    func requests() async throws {
        try await Self.answering(200, Answer.shipment("booked")) { gateway, received async throws in
            _ = try await Question.book.ask(gateway)
            _ = try await Question.lookUp.ask(gateway)
            let requests = received.withLock { $0 }
            #expect(requests.map(\.method) == ["PUT", "GET"])
            #expect(requests.allSatisfy { $0.path == "/courier/v1/shipments/o-1" })
            #expect(requests.allSatisfy { $0.headers["Authorization"] == "Bearer \(CourierWorld.key)" })
            #expect(requests.allSatisfy { $0.headers["User-Agent"] == "Warren (shipping-service)" })
            #expect(requests[0].headers["Content-Type"] == "application/json")
            #expect(requests[1].body.isEmpty)
            let body = try JSONValue(parsing: requests[0].body)
            #expect(body.object.map { Set($0.keys) } == ["address", "version"])
            #expect(body["version"] == 2)
            #expect(try body["address"]?.decode(PostalAddress.self) == ShipmentTests.address(2))
        }
    }

    /// Serves somebody who answers everything alike, and keeps what came.
    private static func answering(
        _ status: Int,
        _ body: String,
        headers: [String: String] = [:],
        _ test: (CourierGateway, borrowing Mutex<[HTTPRequest]>) async throws -> Void
    ) async throws {
        let received = Received()
        var router = Router()
        for method in ["PUT", "GET", "DELETE"] {
            router.on(method, "/courier/v1/shipments/{id}") { request in
                received.requests.withLock { $0.append(request) }
                var response = HTTPResponse(status: status, body: Array(body.utf8))
                for (name, value) in headers { response.headers[name] = value }
                return response
            }
        }
        let client = HTTPClient()
        defer { client.close() }
        try await withServer(router) { url in
            // With a slash at its end, as somebody may write it.
            try await test(CourierGateway.trying(url + "/", client), received.requests)
        }
    }

    private final class Received: Sendable {
        let requests = Mutex<[HTTPRequest]>([])
    }
}

extension CourierGateway {
    /// A gateway that asks again after a minute.
    fileprivate static func trying(
        _ url: String,
        _ client: HTTPClient,
        key: String = CourierWorld.key,
        timeout: Duration = .seconds(60)
    ) -> CourierGateway {
        CourierGateway(url: url, key: key, timeout: timeout, pause: .seconds(60), client: client)
    }

    fileprivate func ask(_ question: CourierGatewayTests.Question) async throws -> Shipment.Word {
        try await question.ask(self)
    }
}

extension CourierWorld {
    fileprivate func gateway(key: String = CourierWorld.key, timeout: Duration = .seconds(60)) -> CourierGateway {
        .trying(url, client, key: key, timeout: timeout)
    }
}

extension HandlerError {
    /// Whether it asks to be tried again so many milliseconds from now, within what a slow machine takes to get here.
    fileprivate func isDeferred(by pause: Int64) -> Bool {
        guard case .deferred(let until) = kind else { return false }
        let left = until - WallClock.milliseconds()
        return (pause - 30_000...pause).contains(left)
    }
}
