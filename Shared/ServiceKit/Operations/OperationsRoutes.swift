import HTTP
import JSON
import Messaging
import Telemetry

/// The operations API: dead letters, backlog and audit of one service.
struct OperationsRoutes: Sendable {
    let service: String
    let source: any OperationsSource
    let logger: Logger

    private enum Action: String {
        case retry
        case discard
        case restore
    }

    var routes: [Wiring.Route] {
        [
            // The fixed path stands before the one with a parameter.
            guarded("GET", "/dead-letters") { try await list($0) },
            guarded("GET", "/dead-letters/groups") { try await groups($0) },
            guarded("GET", "/dead-letters/{id}") { try await show($0) },
            guarded("POST", "/dead-letters/{id}/retry") { try await act(.retry, $0) },
            guarded("POST", "/dead-letters/{id}/discard") { try await act(.discard, $0) },
            guarded("POST", "/dead-letters/{id}/restore") { try await act(.restore, $0) },
            guarded("POST", "/dead-letters/{id}/edit") { try await edit($0) },
            guarded("GET", "/backlog") { try await backlog($0) },
            guarded("GET", "/feeds") { try await feeds($0) },
            guarded("POST", "/feeds/{name}/restart") { try await restartFeed($0) },
            guarded("GET", "/audit") { try await audit($0) },
        ] + bulkRoutes
    }

    func guarded(_ method: String, _ pattern: String, _ handler: @escaping Router.Handler) -> Wiring.Route {
        let role: OperatorRole = method == "GET" ? .read : .act
        return Wiring.Route(method: method, pattern: pattern, access: .operators(role)) { request in
            do {
                var response = try await handler(request)
                response.headers["Cache-Control"] = "no-store"
                return response
            } catch let error as DeadLetterError {
                throw Self.problem(of: error)
            } catch let error as DeadLetterOperationError {
                throw Self.problem(of: error)
            }
        }
    }

    private func list(_ request: HTTPRequest) async throws -> HTTPResponse {
        var query = OperationsQuery(request, known: OperationsQuery.filterNames.union(OperationsQuery.pageNames))
        let filter = query.filter()
        let limit = query.limit()
        let after = query.place(in: filter)
        try query.throwFaults()
        let page = try await source.page(filter, after: after, limit: limit)
        return try .json(
            OperationsAPI.DeadLetterPage(
                service: service,
                items: page.items.map { OperationsAPI.DeadLetterSummary($0, service: service) },
                next: page.next?.text,
                complete: page.isComplete
            )
        )
    }

    private func groups(_ request: HTTPRequest) async throws -> HTTPResponse {
        var query = OperationsQuery(request, known: OperationsQuery.filterNames)
        let filter = query.filter()
        try query.throwFaults()
        let groups = try await source.groups(filter)
        return try .json(
            OperationsAPI.DeadLetterGroups(
                service: service,
                items: groups.items.map { OperationsAPI.DeadLetterGroup($0) },
                complete: groups.isComplete
            )
        )
    }

    private func show(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        return try .json(
            try OperationsAPI.DeadLetterDetail(try await source.show(try Self.id(in: request)), service: service)
        )
    }

    private func act(_ action: Action, _ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        let id = try Self.id(in: request)
        let actor = try Self.actor(of: request)
        let reason = try Self.reason(in: request, isRequired: action == .discard)
        let letter =
            switch action {
            case .retry: try await source.retry(id, actor: actor, reason: reason)
            case .discard: try await source.discard(id, actor: actor, reason: reason)
            case .restore: try await source.restore(id, actor: actor, reason: reason)
            }
        logger.info(
            "an operation on a dead letter was done",
            [LogField("operation.action", action.rawValue), LogField("delivery.id", id)]
        )
        return try .json(OperationsAPI.DeadLetterSummary(letter, service: service))
    }

    private func edit(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        let id = try Self.id(in: request)
        let actor = try Self.actor(of: request)
        let reason = try Self.reason(in: request, isRequired: true, members: ["reason", "data", "envelope"])
        let letter = try await source.edit(id, to: try Self.edit(in: request), actor: actor, reason: reason)
        logger.info(
            "an operation on a dead letter was done",
            [
                LogField("operation.action", "edit"), LogField("delivery.id", id),
                LogField("delivery.successor", letter.id),
            ]
        )
        return try .json(OperationsAPI.DeadLetterSummary(letter, service: service))
    }

    /// What takes the place of the dead letter, byte for byte as it was sent.
    private static func edit(in request: HTTPRequest) throws -> DeadLetterEdit {
        // Decoding the reason has shown that the body is an object.
        let document = try JSONDocument(request.body, maximumDepth: 64)
        switch (document.member("data"), document.member("envelope")) {
        case (let data?, nil): return .data(Array(document.text(of: data)))
        case (nil, let envelope?):
            guard envelope.kind == .object else { throw invalid(field: "envelope", "must be an object") }
            return .envelope(Array(document.text(of: envelope)))
        case (nil, nil): throw invalid(field: "data", "must be the corrected payload, or `envelope` the whole event")
        case (_?, _?): throw invalid(field: "envelope", "must not be given together with `data`")
        }
    }

    private func backlog(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        return try .json(OperationsAPI.Backlog(try await source.backlog(), service: service))
    }

    private func feeds(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        return try .json(OperationsAPI.Feeds(service: service, items: try await source.feeds()))
    }

    private func restartFeed(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        let name = request.parameters["name"] ?? ""
        let actor = try Self.actor(of: request)
        let reason = try Self.reason(in: request, isRequired: true, members: ["reason", "after"])
        let position = try request.decode(OperationsAPI.FeedRestart.self, members: ["reason", "after"]).after
        guard position >= 0 else { throw Self.invalid(field: "after", "must be 0 or more") }
        let feed = try await source.restartFeed(name, after: position, actor: actor, reason: reason)
        guard let feed else {
            throw Problem(.notFound, detail: "\(service) follows nothing by the name \(ShownValue.text(name)).")
        }
        return try .json(feed)
    }

    private func audit(_ request: HTTPRequest) async throws -> HTTPResponse {
        var query = OperationsQuery(request, known: OperationsQuery.pageNames)
        let limit = query.limit()
        let after = query.after()
        try query.throwFaults()
        let entries = try await source.audit(after: after, limit: limit)
        let next = try await next(after: entries.last?.id, isFull: entries.count == limit) {
            try await source.audit(after: $0, limit: 1).isEmpty
        }
        let items = entries.map { OperationsAPI.AuditEntry($0) }
        return try .json(OperationsAPI.AuditPage(service: service, items: items, next: next))
    }

    /// The cursor of the next page, if there is one: a full page may be the last.
    func next(
        after last: Int64?,
        isFull: Bool,
        isEmptyAfter: (Int64) async throws -> Bool
    ) async throws -> String? {
        guard isFull, let last, try await !isEmptyAfter(last) else { return nil }
        return String(last)
    }

    private static func id(in request: HTTPRequest) throws -> Int64 {
        let text = request.parameters["id"] ?? ""
        guard let id = OperationsQuery.id(text) else { throw notFound(text) }
        return id
    }

    /// Who acts, as the audit records it: the token's name, and whom its sender speaks for.
    static func actor(of request: HTTPRequest) throws -> String {
        let sender = request.caller.flatMap { $0.kind == .operator ? $0.name : nil }
        let values = request.headers.values("Warren-Actor")
        guard values.count <= 1 else { throw invalid(field: "Warren-Actor", "must occur only once") }
        guard let actor = values.first, !actor.isEmpty else { return sender ?? "operator" }
        guard actor.unicodeScalars.count <= 100, actor.isOneLine else {
            throw invalid(field: "Warren-Actor", "must be at most 100 characters without control characters")
        }
        guard let sender, sender != actor else { return actor }
        return "\(sender) (\(actor))"
    }

    static func reason(
        in request: HTTPRequest,
        isRequired: Bool,
        members: [String] = ["reason"]
    ) throws -> String {
        let body = request.body.isEmpty ? nil : try request.decode(OperationsAPI.Reason.self, members: members)
        let given = body?.reason ?? ""
        let reason = String(given.trimmingSpaces)
        guard given.unicodeScalars.count <= 1000, given.isOneLine else {
            throw invalid(field: "reason", "must be at most 1,000 characters without control characters")
        }
        guard !isRequired || !reason.isEmpty else { throw invalid(field: "reason", "must say why") }
        return reason
    }

    private static func invalid(field: String, _ detail: String) -> Problem {
        .invalidRequest([Problem.Fault(field: field, detail: detail)])
    }

    private static func notFound(_ id: String) -> Problem {
        Problem(.notFound, detail: "No delivery has the id \(ShownValue.text(id)).")
    }

    private static func problem(of error: DeadLetterError) -> Problem {
        switch error {
        case .notFound(let id): notFound(String(id))
        case .wrongState(let id, let state):
            Problem(.wrongState, detail: "The delivery \(id) is \(state.rawValue).")
        case .notEditable(let id, let reason):
            Problem(.notEditable, detail: "The delivery \(id): \(reason).")
        }
    }
}

extension String {
    /// The text without spaces at its ends.
    var trimmingSpaces: Substring {
        var text = drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    /// Whether it has neither line breaks nor other control characters.
    var isOneLine: Bool {
        !unicodeScalars.contains {
            $0.properties.generalCategory == .control || "\u{2028}\u{2029}".unicodeScalars.contains($0)
        }
    }
}
