internal import Database
internal import Events

/// What an operator can do with a dead letter, one or many.
public enum DeadLetterAction: String, Sendable, Codable, CaseIterable {
    /// Sends it back into the machine, under the same row, with a generation more.
    case retry
    /// Decides that it is not to be processed.
    case discard
    /// Takes a discard back.
    case restore

    /// The state from which it leads on.
    public var from: DeliveryState { self == .restore ? .discarded : .dead }
}

/// What an operator does to one delivery, with its audit entry, inside a transaction.
struct DeadLetterTransitions: Sendable {
    /// Who does it and why.
    struct Doer: Sendable {
        var actor: String
        var reason: String
        /// The operation in bulk that it is part of.
        var operation: Int64?
    }

    /// The tables by their subscribers.
    let tables: [String: DeliveryTable]
    /// What rows are due by.
    let clock: SteadyClock

    init(tables: [String: DeliveryTable]) {
        self.tables = tables
        clock = tables.values.first?.clock ?? SteadyClock()
    }

    /// Does it and changes `letter` accordingly.
    ///
    /// - Parameter counts: is told what moved; the caller applies it in the same transaction.
    /// - Throws: `DeadLetterError`, before anything is changed; `DatabaseError`.
    func perform(
        _ action: DeadLetterAction,
        on letter: inout DeadLetter,
        by doer: Doer,
        now: Int64,
        counts: inout DeadLetterGroupCounts.Changes,
        in transaction: Transaction
    ) throws {
        guard letter.state != .discarded || letter.errorClass != DeadLetters.editedClass else {
            throw DeadLetterError.notEditable(
                letter.id,
                "it was edited: \(letter.errorMessage), which stands for it"
            )
        }
        let table = tables[letter.subscriber]
        var life = DeliveryLife(
            state: letter.state,
            generation: letter.generation,
            attempts: letter.attemptCount,
            dueAt: letter.dueAt
        )
        do throws(DeliveryLife.WrongState) {
            switch action {
            case .retry: try life.retry(now: now)
            case .discard: try life.discard()
            case .restore: try life.restore()
            }
        } catch {
            throw DeadLetterError.wrongState(letter.id, error.state)
        }
        if action == .retry, let table, try table.isPreceded(letter, in: transaction) { life.hold() }
        if action != .discard {
            table?.waiting.change(SubjectKey(source: letter.source, subject: letter.subject))
        }
        try DeliveryTable.move(letter.id, to: life, lead: clock.lead, now: now, in: transaction)
        counts.move(type: letter.type, errorClass: letter.errorClass, from: letter.state, to: life.state)
        try DeadLetterTransitions.record(action.rawValue, of: letter.id, by: doer, now: now, in: transaction)
        if life.state == .discarded || life.state == .held, let table {
            let subject = SubjectKey(source: letter.source, subject: letter.subject)
            _ = try table.releaseNext(subject, now: now, in: transaction)
        }
        letter.state = life.state
        letter.generation = life.generation
        letter.attemptCount = life.attempts
        letter.dueAt = life.dueAt
        letter.updatedAt = now
    }

    /// Writes an entry of the audit.
    ///
    /// - Parameter delivery: 0 for what concerns an operation in bulk as a whole.
    static func record(
        _ action: String,
        of delivery: Int64,
        by doer: Doer,
        now: Int64,
        in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO warren_audit (at, actor, action, delivery_id, reason, operation_id)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            now,
            doer.actor,
            action,
            delivery,
            doer.reason,
            doer.operation
        )
    }
}
