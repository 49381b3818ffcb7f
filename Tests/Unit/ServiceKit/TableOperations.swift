import Messaging

@testable import ServiceKit

/// The operations of a service, over a table in memory.
final class TableOperations: OperationsSource {
    struct List: Sendable {
        let filter: DeadLetterFilter
        let after: DeadLetterCursor?
        let limit: Int
    }

    struct Deed: Sendable, Equatable {
        let id: Int64
        let action: String
        let actor: String
        let reason: String
    }

    struct Failure: Error {}

    /// Whether every call fails, as with a broken database.
    let isBroken = MutexBox(false)
    let letters = MutexBox<[DeadLetter]>([])
    let lists = MutexBox<[List]>([])
    let deeds = MutexBox<[Deed]>([])

    /// Whether a search ends at its bound.
    let isCutShort = MutexBox(false)
    /// Operations that were asked for.
    let plans = MutexBox<[DeadLetterOperation.Plan]>([])
    let asked = MutexBox<[DeadLetterOperation]>([])

    func page(_ filter: DeadLetterFilter, after: DeadLetterCursor?, limit: Int) async throws -> DeadLetterPage {
        lists.change { $0.append(List(filter: filter, after: after, limit: limit)) }
        let rest = letters.value.filter { $0.id < after?.id ?? .max }
        let items = Array(rest.prefix(limit))
        let next = items.last.map { DeadLetterCursor(id: $0.id, updatedAt: filter.hasTime ? $0.updatedAt : nil) }
        return DeadLetterPage(
            items: items,
            next: rest.count > limit || isCutShort.value ? next : nil,
            isComplete: !isCutShort.value
        )
    }

    func show(_ id: Int64) async throws -> DeadLetter {
        guard let letter = letters.value.first(where: { $0.id == id }) else { throw DeadLetterError.notFound(id) }
        return letter
    }

    func groups(_ filter: DeadLetterFilter) async throws -> DeadLetterGroups {
        guard !isBroken.value else { throw Failure() }
        return DeadLetterGroups(items: [
            DeadLetterGroup(type: "t", errorClass: "e", count: 2, firstSeen: 1, lastSeen: 2, example: "no")
        ])
    }

    func retry(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await change(id, "retry", actor, reason, from: .dead, to: .scheduled)
    }

    func discard(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await change(id, "discard", actor, reason, from: .dead, to: .discarded)
    }

    func restore(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await change(id, "restore", actor, reason, from: .discarded, to: .dead)
    }

    let edits = MutexBox<[DeadLetterEdit]>([])

    func edit(_ id: Int64, to edit: DeadLetterEdit, actor: String, reason: String) async throws -> DeadLetter {
        edits.change { $0.append(edit) }
        return try await change(id, "edit", actor, reason, from: .dead, to: .discarded)
    }

    func audit(after: Int64?, limit: Int) async throws -> [AuditEntry] {
        let all = [2, 1].map { id in
            AuditEntry(id: id, at: id, actor: "anna", action: "retry", deliveryID: 3, reason: "why")
        }
        return Array(all.filter { $0.id < after ?? .max }.prefix(limit))
    }

    let feedsAt = MutexBox<[String: Int64]>(["inventory": 7])

    func feeds() async throws -> [OperationsAPI.Feed] {
        feedsAt.value.map { OperationsAPI.Feed(name: $0.key, position: $0.value, problem: "it is ahead") }
    }

    func restartFeed(
        _ name: String,
        after position: Int64,
        actor: String,
        reason: String
    ) async throws -> OperationsAPI.Feed? {
        guard feedsAt.value[name] != nil else { return nil }
        feedsAt.change { $0[name] = position }
        deeds.change { $0.append(Deed(id: 0, action: "restart-feed", actor: actor, reason: reason)) }
        return OperationsAPI.Feed(name: name, position: position, problem: nil)
    }

    func retentionStatus() async throws -> RetentionStatus {
        var status = RetentionStatus()
        status.removedEvents = 5
        status.removedReceipts = 6
        status.lastPass = 1_500
        status.goneThrough = 7
        status.oldestEventAge = 2.5
        return status
    }

    func backlog() async throws -> Backlog {
        guard !isBroken.value else { throw Failure() }
        return Backlog(
            unforwarded: 1,
            oldestUnforwardedAge: 1.5,
            scheduled: 0,
            oldestScheduledAge: nil,
            held: 2,
            dead: 3
        )
    }

    func start(
        _ plan: DeadLetterOperation.Plan,
        actor: String,
        reason: String
    ) async throws -> DeadLetterOperation {
        plans.change { $0.append(plan) }
        let operation = DeadLetterOperation(
            id: Int64(asked.value.count + 1),
            plan: plan,
            actor: actor,
            reason: reason,
            state: .running,
            total: 7,
            done: 0,
            failed: 0,
            createdAt: 1,
            updatedAt: 1
        )
        asked.change { $0.append(operation) }
        return operation
    }

    func count(_ plan: DeadLetterOperation.Plan) async throws -> (count: Int, isComplete: Bool) {
        plans.change { $0.append(plan) }
        return (7, !isCutShort.value)
    }

    func operations(after: Int64?, limit: Int) async throws -> [DeadLetterOperation] {
        Array(asked.value.reversed().filter { $0.id < after ?? .max }.prefix(limit))
    }

    func operation(_ id: Int64) async throws -> DeadLetterOperation {
        guard let operation = asked.value.first(where: { $0.id == id }) else {
            throw DeadLetterOperationError.notFound(id)
        }
        return operation
    }

    func order(
        _ order: DeadLetterOperation.Order,
        _ id: Int64,
        actor: String,
        reason: String
    ) async throws -> DeadLetterOperation {
        var operation = try await operation(id)
        switch (order, operation.state) {
        case (.pause, .running): operation.state = .paused
        case (.resume, .paused): operation.state = .running
        case (.cancel, .running), (.cancel, .paused): operation.state = .cancelled
        default: throw DeadLetterOperationError.wrongState(id, operation.state)
        }
        deeds.change { $0.append(Deed(id: id, action: order.rawValue, actor: actor, reason: reason)) }
        let changed = operation
        asked.change { $0 = $0.map { $0.id == id ? changed : $0 } }
        return operation
    }

    private func change(
        _ id: Int64,
        _ action: String,
        _ actor: String,
        _ reason: String,
        from: DeliveryState,
        to: DeliveryState
    ) async throws -> DeadLetter {
        var letter = try await show(id)
        guard letter.state == from else { throw DeadLetterError.wrongState(id, letter.state) }
        deeds.change { $0.append(Deed(id: id, action: action, actor: actor, reason: reason)) }
        letter.state = to
        let changed = letter
        letters.change { $0 = $0.map { $0.id == id ? changed : $0 } }
        return letter
    }
}

extension DeadLetter {
    static func example(_ id: Int64, body: [UInt8] = []) -> DeadLetter {
        DeadLetter(
            id: id,
            subscriber: "payment",
            source: "/order-service",
            eventID: "event-\(id)",
            type: "dev.warren.order.placed",
            subject: "order-1",
            state: .dead,
            generation: 0,
            attemptCount: 6,
            dueAt: nil,
            receivedAt: 1_767_225_600_000,
            updatedAt: 1_767_225_601_500,
            errorClass: "payment.provider-unavailable",
            errorMessage: "no answer",
            body: body,
            properties: #"{"messageId":"event-\#(id)","headers":{"x":[1,2]}}"#,
            attempts: [
                Attempt(
                    generation: 0,
                    attempt: 6,
                    startedAt: 1_767_225_601_000,
                    durationMilliseconds: 500,
                    host: "host-1",
                    errorClass: "payment.provider-unavailable",
                    message: "no answer"
                )
            ]
        )
    }
}
