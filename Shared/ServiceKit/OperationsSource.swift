import Messaging

/// What the operations API works on: the messaging of a service, or a table in memory in tests.
protocol OperationsSource: Sendable {
    func list(_ filter: DeadLetterFilter, after: Int64?, limit: Int) async throws -> [DeadLetter]
    func show(_ id: Int64) async throws -> DeadLetter
    func groups(_ filter: DeadLetterFilter) async throws -> [DeadLetterGroup]
    func retry(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter
    func discard(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter
    func restore(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter
    func edit(_ id: Int64, to edit: DeadLetterEdit, actor: String, reason: String) async throws -> DeadLetter
    func audit(after: Int64?, limit: Int) async throws -> [AuditEntry]
    func backlog() async throws -> Backlog
}

/// The operations of a running service.
struct RuntimeOperations: OperationsSource {
    let runtime: MessagingRuntime

    func list(_ filter: DeadLetterFilter, after: Int64?, limit: Int) async throws -> [DeadLetter] {
        try await runtime.deadLetters.list(filter, after: after, limit: limit)
    }

    func show(_ id: Int64) async throws -> DeadLetter {
        try await runtime.deadLetters.show(id)
    }

    func groups(_ filter: DeadLetterFilter) async throws -> [DeadLetterGroup] {
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
}
