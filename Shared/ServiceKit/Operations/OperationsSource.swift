import Messaging

/// What the operations API works on: the messaging of a service, or a table in memory in tests.
protocol OperationsSource: Sendable {
    func page(_ filter: DeadLetterFilter, after: DeadLetterCursor?, limit: Int) async throws -> DeadLetterPage
    func show(_ id: Int64) async throws -> DeadLetter
    func groups(_ filter: DeadLetterFilter) async throws -> DeadLetterGroups
    func retry(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter
    func discard(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter
    func restore(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter
    func edit(_ id: Int64, to edit: DeadLetterEdit, actor: String, reason: String) async throws -> DeadLetter
    func audit(after: Int64?, limit: Int) async throws -> [AuditEntry]
    func backlog() async throws -> Backlog
    func feeds() async throws -> [OperationsAPI.Feed]
    /// - Returns: the feed; nil where there is none of that name.
    func restartFeed(
        _ name: String,
        after position: Int64,
        actor: String,
        reason: String
    ) async throws -> OperationsAPI.Feed?
    func retentionStatus() async throws -> RetentionStatus
    func start(_ plan: DeadLetterOperation.Plan, actor: String, reason: String) async throws -> DeadLetterOperation
    func count(_ plan: DeadLetterOperation.Plan) async throws -> (count: Int, isComplete: Bool)
    func operations(after: Int64?, limit: Int) async throws -> [DeadLetterOperation]
    func operation(_ id: Int64) async throws -> DeadLetterOperation
    func order(
        _ order: DeadLetterOperation.Order,
        _ id: Int64,
        actor: String,
        reason: String
    ) async throws -> DeadLetterOperation
}

/// The operations of a running service.
struct RuntimeOperations: OperationsSource {
    let runtime: MessagingRuntime

    func page(_ filter: DeadLetterFilter, after: DeadLetterCursor?, limit: Int) async throws -> DeadLetterPage {
        try await runtime.deadLetters.page(filter, after: after, limit: limit)
    }

    func show(_ id: Int64) async throws -> DeadLetter {
        try await runtime.deadLetters.show(id)
    }

    func groups(_ filter: DeadLetterFilter) async throws -> DeadLetterGroups {
        try await runtime.deadLetters.groups(filter)
    }

    func retry(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await runtime.deadLetters.retry(id, actor: actor, reason: reason)
    }

    func discard(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await runtime.deadLetters.discard(id, actor: actor, reason: reason)
    }

    func restore(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await runtime.deadLetters.restore(id, actor: actor, reason: reason)
    }

    func edit(_ id: Int64, to edit: DeadLetterEdit, actor: String, reason: String) async throws -> DeadLetter {
        try await runtime.deadLetters.edit(id, to: edit, actor: actor, reason: reason)
    }

    func audit(after: Int64?, limit: Int) async throws -> [AuditEntry] {
        try await runtime.deadLetters.audit(after: after, limit: limit)
    }

    func backlog() async throws -> Backlog {
        try await runtime.backlog()
    }

    func feeds() async throws -> [OperationsAPI.Feed] {
        var feeds: [OperationsAPI.Feed] = []
        for feed in runtime.eventFeeds { feeds.append(try await OperationsAPI.Feed(feed)) }
        return feeds
    }

    func restartFeed(
        _ name: String,
        after position: Int64,
        actor: String,
        reason: String
    ) async throws -> OperationsAPI.Feed? {
        guard let feed = runtime.eventFeeds.first(where: { $0.name == name }) else { return nil }
        try await feed.restart(after: position, actor: actor, reason: reason)
        return try await OperationsAPI.Feed(feed)
    }

    func retentionStatus() async throws -> RetentionStatus {
        try await runtime.retentionStatus()
    }

    func start(
        _ plan: DeadLetterOperation.Plan,
        actor: String,
        reason: String
    ) async throws -> DeadLetterOperation {
        try await runtime.operations.start(plan, actor: actor, reason: reason)
    }

    func count(_ plan: DeadLetterOperation.Plan) async throws -> (count: Int, isComplete: Bool) {
        try await runtime.operations.count(plan)
    }

    func operations(after: Int64?, limit: Int) async throws -> [DeadLetterOperation] {
        try await runtime.operations.list(after: after, limit: limit)
    }

    func operation(_ id: Int64) async throws -> DeadLetterOperation {
        try await runtime.operations.show(id)
    }

    func order(
        _ order: DeadLetterOperation.Order,
        _ id: Int64,
        actor: String,
        reason: String
    ) async throws -> DeadLetterOperation {
        try await runtime.operations.order(order, id, actor: actor, reason: reason)
    }
}
