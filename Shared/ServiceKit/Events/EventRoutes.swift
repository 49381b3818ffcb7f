import HTTP
import Messaging

/// The event API: `GET /events` and `GET /events/types`.
///
/// Events hold personal data and what the service knows, so the rule of the operations API applies: with tokens whoever
/// sends one, without them peers on loopback.
struct EventRoutes: Sendable {
    static let mediaType = "application/cloudevents-batch+json; charset=utf-8"
    static let nextHeader = "Warren-Next-Position"
    static let headHeader = "Warren-Head-Position"
    static let goneHeader = "Warren-Gone-Through"

    let service: String
    let log: EventLog

    var routes: [Wiring.Route] {
        [
            Wiring.Route(method: "GET", pattern: "/events", access: .operators(.read)) { try await events($0) },
            Wiring.Route(method: "GET", pattern: "/events/types", access: .operators(.read)) { try await types($0) },
        ]
    }

    private func events(_ request: HTTPRequest) async throws -> HTTPResponse {
        let parameters = try EventParameters(request)
        do {
            var query = parameters.query
            if parameters.startsAtEnd { query.after = try await log.head() }
            return answer(try await log.page(query, wait: parameters.wait), parameters)
        } catch let error as EventLogError {
            throw Self.problem(of: error)
        }
    }

    /// The stored bytes between brackets: nothing is encoded again.
    private func answer(_ page: EventLogPage, _ parameters: EventParameters) -> HTTPResponse {
        var body: [UInt8] = []
        body.reserveCapacity(page.envelopes.reduce(2) { $0 + $1.count + 1 })
        body.append(UInt8(ascii: "["))
        for (index, envelope) in page.envelopes.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body.append(contentsOf: envelope)
        }
        body.append(UInt8(ascii: "]"))
        return HTTPResponse(
            status: 200,
            headers: [
                "Content-Type": Self.mediaType,
                "Link": "<\(parameters.target(after: page.next))>; rel=\"next\"",
                Self.nextHeader: String(page.next),
                Self.headHeader: String(page.head),
                "Cache-Control": "no-store",
            ],
            body: body
        )
    }

    private func types(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        let items = try await log.types().map { OperationsAPI.EventTypeCount(type: $0.type, count: $0.count) }
        var response = try HTTPResponse.json(OperationsAPI.EventTypes(service: service, items: items))
        response.headers["Cache-Control"] = "no-store"
        return response
    }

    private static func problem(of error: EventLogError) -> Problem {
        switch error {
        case .gone(let through):
            Problem(
                .eventsGone,
                detail: """
                    Retention has removed events up to position \(through). Bring your state up to a later position from \
                    a copy or a snapshot, and go on from there; `after=\(through)` gives what is left.
                    """,
                headers: [goneHeader: String(through)]
            )
        case .ahead(let head):
            Problem.invalidRequest([
                Problem.Fault(
                    field: "after",
                    detail: """
                        lies behind the last event, which is at \(head): it comes from another service, or this store was \
                        restored from an older copy
                        """
                )
            ])
        case .tooManyWaiters:
            Problem(.tooManyWaiters, headers: ["Retry-After": "1"])
        }
    }
}

/// The query of `GET /events`, checked; all faults at once.
struct EventParameters {
    static let names: Set<String> = ["after", "limit", "type", "subject", "source", "wait"]
    static let defaultLimit = 100
    static let longestWait = 30
    /// Conditions of one kind.
    static let mostTypes = 100

    private(set) var query = EventLogQuery()
    private(set) var wait = Duration.zero
    /// `after=end`: only what comes from now on.
    private(set) var startsAtEnd = false
    private let items: [(name: String, value: String)]

    init(_ request: HTTPRequest) throws {
        items = request.query
        var faults: [Problem.Fault] = []
        func fault(_ field: String, _ detail: String) {
            faults.append(Problem.Fault(field: field, detail: detail))
        }
        for name in Set(items.map(\.name)).subtracting(Self.names).sorted() {
            let names = Self.names.sorted().joined(separator: ", ")
            fault(name, "is not a parameter of this request (it has \(names))")
        }
        func single(_ name: String) -> String? {
            let values = request.query.filter { $0.name == name }.map(\.value)
            if values.count > 1 { fault(name, "must occur only once") }
            guard values.first?.isEmpty != true else {
                fault(name, "must not be empty")
                return nil
            }
            return values.first
        }
        func number(_ name: String, in range: ClosedRange<Int64>, _ expected: String) -> Int64? {
            guard let text = single(name), !(name == "after" && text == "end") else { return nil }
            guard let number = OperationsQuery.number(text), range.contains(number) else {
                fault(name, expected)
                return nil
            }
            return number
        }
        startsAtEnd = items.contains { $0.name == "after" && $0.value == "end" }
        query.after =
            number("after", in: 0...Int64.max, "must be a position that an answer named, 0 for the beginning, or end")
            ?? 0
        let most = EventLog.maximumLimit
        query.limit =
            number("limit", in: 1...Int64(most), "must be a whole number from 1 to \(most)").map { Int($0) }
            ?? Self.defaultLimit
        let seconds = number(
            "wait",
            in: 0...Int64(Self.longestWait),
            "must be a whole number of seconds from 0 to \(Self.longestWait)"
        )
        wait = .seconds(seconds ?? 0)
        query.subject = single("subject")
        query.source = single("source")
        query.types = items.filter { $0.name == "type" }.map(\.value)
        if query.types.contains("") { fault("type", "must not be empty") }
        if query.types.count > Self.mostTypes { fault("type", "must occur at most \(Self.mostTypes) times") }
        guard faults.isEmpty else { throw Problem.invalidRequest(faults) }
    }

    /// The same request from another position on.
    func target(after position: Int64) -> String {
        let kept = items.filter { $0.name != "after" }.map { ($0.name, $0.value) }
        return "/events?" + FormURLEncoded.encode([("after", String(position))] + kept)
    }
}

extension OperationsAPI {
    /// A type in an event store.
    public struct EventTypeCount: Codable, Sendable, Equatable {
        /// The event's type.
        public var type: String
        /// How many events of it the store holds.
        public var count: Int
    }

    /// What an event store holds.
    public struct EventTypes: Codable, Sendable, Equatable {
        /// The service that answers.
        public var service: String
        /// By type, in order.
        public var items: [EventTypeCount]
    }
}
