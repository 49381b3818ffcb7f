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
        let subject = SubjectKey(source: letter.source, subject: letter.subject)
        if action == .retry, let table, try table.hasToWait(letter.id, subject, in: transaction) { life.hold() }
        if action != .discard { table?.waiting.change() }
        try move(letter, to: life, now: now, in: transaction)
        counts.move(type: letter.type, errorClass: letter.errorClass, from: letter.state, to: life.state)
        try DeadLetterTransitions.record(action.rawValue, of: letter.id, by: doer, now: now, in: transaction)
        if life.state == .discarded || life.state == .held, let table {
            _ = try table.releaseNext(subject, now: now, in: transaction)
        }
        letter.state = life.state
        letter.generation = life.generation
        letter.attemptCount = life.attempts
        letter.dueAt = life.dueAt
        letter.updatedAt = now
    }

    private func move(_ letter: DeadLetter, to life: DeliveryLife, now: Int64, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE warren_deliveries
            SET status = $2, generation = $3, attempts = $4, due_at = $5, updated_at = $6, running_since = NULL,
                deferred_since = NULL
            WHERE id = $1
            """,
            letter.id,
            life.state.rawValue,
            life.generation,
            life.attempts,
            life.dueAt,
            now
        )
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

extension DeliveryTable {
    /// Whether a row that is to be due has to be held: an earlier delivery of its subject waits, or another one is scheduled,
    /// perhaps at work, and two of a subject must not be.
    ///
    /// Several dead letters of one subject are there where `afterDeadLetter` lets successors pass, or a discard was taken back.
    /// Messages that could not be read have no subject, and timeouts go by their time.
    func hasToWait(_ id: Int64, _ subject: SubjectKey, in transaction: Transaction) throws -> Bool {
        guard ordering == .perSubject, !subject.source.isEmpty else { return false }
        let row = try transaction.first(
            """
            SELECT 1 FROM warren_deliveries AS other, warren_deliveries AS this
            WHERE this.id = $1 AND other.subscriber = $2 AND other.source = $3 AND other.subject = $4
                AND other.status <> 'processed' AND other.status <> 'discarded' AND other.id <> this.id
                AND (other.status = 'scheduled' OR ((other.status <> 'dead' OR $5 = 1)
                    AND (COALESCE(other.sequence, 0), COALESCE(other.place, other.id))
                        < (COALESCE(this.sequence, 0), COALESCE(this.place, this.id))))
                AND NOT EXISTS (
                    SELECT 1 FROM warren_timeouts WHERE delivery_id = this.id OR delivery_id = other.id)
            LIMIT 1
            """,
            id,
            subscriber,
            subject.source,
            subject.subject,
            afterDeadLetter == .hold
        )
        return row != nil
    }
}
