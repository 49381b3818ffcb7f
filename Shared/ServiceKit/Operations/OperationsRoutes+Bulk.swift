import HTTP
import JSON
import Messaging
import Telemetry

/// Operations on many dead letters.
extension OperationsRoutes {
    var bulkRoutes: [Wiring.Route] {
        [
            guarded("POST", "/dead-letter-operations") { try await start($0) },
            guarded("GET", "/dead-letter-operations") { try await operations($0) },
            guarded("GET", "/dead-letter-operations/{id}") { try await operation($0) },
        ]
            + DeadLetterOperation.Order.allCases.map { order in
                guarded("POST", "/dead-letter-operations/{id}/\(order.rawValue)") { try await self.order(order, $0) }
            }
    }

    private func start(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        let actor = try Self.actor(of: request)
        let form = try OperationForm(request)
        if form.isDryRun {
            let counted = try await source.count(form.plan)
            return try .json(
                OperationsAPI.OperationPreview(
                    service: service,
                    action: form.plan.action.rawValue,
                    total: counted.count,
                    complete: counted.isComplete
                )
            )
        }
        let operation = try await source.start(form.plan, actor: actor, reason: form.reason)
        logger.info(
            "an operation on dead letters was asked for",
            [
                LogField("operation.id", operation.id), LogField("operation.action", form.plan.action.rawValue),
                LogField("operation.total", operation.total ?? -1),
            ]
        )
        return try .json(
            OperationsAPI.Operation(operation, service: service),
            status: 202,
            headers: ["Location": "/dead-letter-operations/\(operation.id)"]
        )
    }

    private func operations(_ request: HTTPRequest) async throws -> HTTPResponse {
        var query = OperationsQuery(request, known: OperationsQuery.pageNames)
        let limit = query.limit()
        let after = query.after()
        try query.throwFaults()
        let operations = try await source.operations(after: after, limit: limit)
        let next = try await next(after: operations.last?.id, isFull: operations.count == limit) {
            try await source.operations(after: $0, limit: 1).isEmpty
        }
        let items = operations.map { OperationsAPI.Operation($0, service: service) }
        return try .json(OperationsAPI.OperationPage(service: service, items: items, next: next))
    }

    private func operation(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        return try .json(
            OperationsAPI.Operation(try await source.operation(try Self.operationID(in: request)), service: service)
        )
    }

    private func order(_ order: DeadLetterOperation.Order, _ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoQuery()
        let id = try Self.operationID(in: request)
        let actor = try Self.actor(of: request)
        let reason = try Self.reason(in: request, isRequired: false)
        let operation = try await source.order(order, id, actor: actor, reason: reason)
        logger.info(
            "an operation on dead letters was given an order",
            [LogField("operation.id", id), LogField("operation.order", order.rawValue)]
        )
        return try .json(OperationsAPI.Operation(operation, service: service))
    }

    private static func operationID(in request: HTTPRequest) throws -> Int64 {
        let text = request.parameters["id"] ?? ""
        guard let id = OperationsQuery.id(text) else { throw noOperation(text) }
        return id
    }

    private static func noOperation(_ id: String) -> Problem {
        Problem(.notFound, detail: "No operation has the id \(ShownValue.text(id)).")
    }

    static func problem(of error: DeadLetterOperationError) -> Problem {
        switch error {
        case .notFound(let id): noOperation(String(id))
        case .wrongState(let id, let state):
            Problem(.wrongState, detail: "The operation \(id) is \(state.rawValue).")
        }
    }
}

extension OperationsAPI.Operation {
    init(_ operation: DeadLetterOperation, service: String) {
        let plan = operation.plan
        func time(_ milliseconds: Int64?) -> String? { milliseconds.map { Timestamp(milliseconds: $0).description } }
        self.init(
            id: String(operation.id),
            service: service,
            action: plan.action.rawValue,
            state: operation.state.rawValue,
            filter: OperationsAPI.OperationFilter(
                type: plan.filter.types,
                error: plan.filter.errorClass,
                state: plan.filter.states.map(\.rawValue),
                subject: plan.filter.subject,
                from: time(plan.filter.from),
                until: time(plan.filter.until),
                text: plan.filter.text
            ),
            limit: plan.limit,
            rate: plan.rate,
            ramp: plan.ramp.map { $0 / .seconds(1) },
            actor: operation.actor,
            reason: operation.reason,
            total: operation.total,
            done: operation.done,
            failed: operation.failed,
            createdAt: Timestamp(milliseconds: operation.createdAt).description,
            updatedAt: Timestamp(milliseconds: operation.updatedAt).description,
            finishedAt: time(operation.finishedAt)
        )
    }
}
