internal import Database
internal import Events
internal import JSON

/// The operations on many dead letters of one service: asked for, watched, paused and ended here, done by
/// `OperationRunner`.
///
/// An operation and each of its steps are rows of the database, so that it goes on after a crash exactly where it was.
/// Every order and its audit entry are one transaction. Thread-safe.
public final class DeadLetterOperations: Sendable {
    let database: Database
    /// Raised when there is something for the runner.
    let wake = Signal()

    init(database: Database) {
        self.database = database
    }

    /// Asks for an operation on everything that matches now; what dies from now on is not touched.
    ///
    /// Returns when it is durable; the work is done in the background.
    ///
    /// - Throws: `DatabaseError`.
    public func start(
        _ plan: DeadLetterOperation.Plan,
        actor: String,
        reason: String
    ) async throws -> DeadLetterOperation {
        let filter = String(decoding: try StrictJSON.encode(plan.filter), as: UTF8.self)
        let operation = try await database.write { transaction in
            let now = WallClock.milliseconds()
            // Where numbers are kept, this is how many match in this very transaction.
            let total = try DeadLetters.keptCount(plan.filter, in: transaction)
            let row = try transaction.first(
                """
                INSERT INTO warren_operations (action, filter, item_limit, rate, ramp, actor, reason, state, last_id,
                    cursor, total, done, failed, created_at, updated_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $10, 0, $8, 0, 0, $9, $9)
                RETURNING *
                """,
                plan.action.rawValue,
                filter,
                plan.limit,
                plan.rate,
                plan.ramp.map { Int64($0 / .milliseconds(1)) },
                actor,
                reason,
                total.map { min($0, plan.limit ?? .max) },
                now,
                try DeliveryTable.lastID(in: transaction)
            )
            guard let row else { throw DatabaseError(code: .misuse, reason: "the operation was not written") }
            let operation = try DeadLetterOperation(row)
            try DeadLetterTransitions.record(
                "start",
                of: 0,
                by: .init(actor: actor, reason: reason, operation: operation.id),
                now: now,
                in: transaction
            )
            return operation
        }
        wake.raise()
        return operation
    }

    /// How many match now, for a look before the leap.
    ///
    /// - Parameter limit: how long it may take; what is not counted by then is left out.
    /// - Returns: the number, and whether it is all.
    /// - Throws: `DatabaseError`.
    public func count(
        _ plan: DeadLetterOperation.Plan,
        within limit: Duration = .seconds(5)
    ) async throws -> (count: Int, isComplete: Bool) {
        let deadline = ContinuousClock.Instant.now + limit
        if let kept = try await database.read({ try DeadLetters.keptCount(plan.filter, in: $0) }) {
            return (min(kept, plan.limit ?? .max), true)
        }
        let search = DeadLetterSearch(filter: plan.filter, order: .oldestFirst)
        var count = 0
        var place: DeadLetterSearch.Key?
        repeat {
            let found = try await database.read { [place] transaction in
                try search.find(after: place, limit: OperationRunner.counted, in: transaction)
            }
            count += found.hits.count
            place = found.next
            if let limit = plan.limit, count >= limit { return (limit, true) }
        } while place != nil && .now < deadline
        return (count, place == nil)
    }

    /// Operations, the latest first.
    ///
    /// - Parameters:
    ///   - after: the id of the last one of the page before.
    ///   - limit: how many at most, 1 to 500.
    /// - Throws: `DatabaseError`.
    public func list(after: Int64?, limit: Int) async throws -> [DeadLetterOperation] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT * FROM warren_operations WHERE id < $1 ORDER BY id DESC LIMIT $2",
                after ?? Int64.max,
                max(1, min(500, limit))
            ).map { try DeadLetterOperation($0) }
        }
    }

    /// One operation.
    ///
    /// - Throws: `DeadLetterOperationError.notFound`; `DatabaseError`.
    public func show(_ id: Int64) async throws -> DeadLetterOperation {
        try await database.read { transaction in
            guard let operation = try DeadLetterOperations.operation(id, in: transaction) else {
                throw DeadLetterOperationError.notFound(id)
            }
            return operation
        }
    }

    /// Gives an operation an order; once this has returned, a paused or cancelled one does not touch another delivery.
    ///
    /// - Throws: `DeadLetterOperationError`; `DatabaseError`.
    public func order(
        _ order: DeadLetterOperation.Order,
        _ id: Int64,
        actor: String,
        reason: String
    ) async throws -> DeadLetterOperation {
        let operation = try await database.write { transaction in
            guard var operation = try DeadLetterOperations.operation(id, in: transaction) else {
                throw DeadLetterOperationError.notFound(id)
            }
            guard let state = operation.state(after: order) else {
                throw DeadLetterOperationError.wrongState(id, operation.state)
            }
            let now = WallClock.milliseconds()
            (operation.state, operation.updatedAt) = (state, now)
            operation.finishedAt = state == .cancelled ? now : nil
            try transaction.execute(
                "UPDATE warren_operations SET state = $2, updated_at = $3, finished_at = $4 WHERE id = $1",
                id,
                state.rawValue,
                now,
                operation.finishedAt
            )
            try DeadLetterTransitions.record(
                order.rawValue,
                of: 0,
                by: .init(actor: actor, reason: reason, operation: id),
                now: now,
                in: transaction
            )
            return operation
        }
        wake.raise()
        return operation
    }

    static func operation(_ id: Int64, in transaction: Transaction) throws -> DeadLetterOperation? {
        try transaction.first("SELECT * FROM warren_operations WHERE id = $1", id).map { try DeadLetterOperation($0) }
    }
}

extension DeadLetterOperation {
    /// Reads a row.
    init(_ row: Row) throws {
        let filter: String = try row["filter"]
        let action: String = try row["action"]
        let state: String = try row["state"]
        let ramp: Int64? = try row["ramp"]
        guard let action = DeadLetterAction(rawValue: action), let state = State(rawValue: state) else {
            throw DatabaseError(code: .conversion, reason: "an operation has an action or a state that is not known")
        }
        self.init(
            id: try row["id"],
            plan: Plan(
                action: action,
                filter: try StrictJSON.decode(DeadLetterFilter.self, from: Array(filter.utf8)),
                limit: try row["item_limit"],
                rate: try row["rate"],
                ramp: ramp.map { .milliseconds($0) }
            ),
            actor: try row["actor"],
            reason: try row["reason"],
            state: state,
            total: try row["total"],
            done: try row["done"],
            failed: try row["failed"],
            createdAt: try row["created_at"],
            updatedAt: try row["updated_at"],
            finishedAt: try row["finished_at"]
        )
    }
}
