/// How the steps of a transaction can be undone, one by one.
///
/// A savepoint makes SQLite keep a copy of every page before a step changes it, which costs about a fifth of a small
/// write - for nothing, as long as no step is undone. So the statements that have written are remembered instead: to undo a
/// step, the transaction is rolled back and those of the steps before it are run once more. They find what they found,
/// since nobody else writes, and do what they did. After that, and behind a statement that might do something else the
/// second time, steps are savepoints.
struct SQLiteSteps {
    /// Transactions with savepoints after a step was undone: where some fail, more will.
    private static let cautiousTransactions = 32
    /// Statements to remember; steps behind them are savepoints.
    private static let mostStatements = 4_096

    /// What a step that begins or ends needs.
    enum Kind {
        case nothing
        case savepoint
    }

    /// What undoes a step.
    enum Undoing {
        case savepoint
        /// Rolling back, and running these.
        case replay([Statement])
    }

    /// A statement that has written.
    struct Statement {
        var sql: String
        var arguments: [DatabaseValue]
    }

    private var kept: [Statement] = []
    private var stepStart = 0
    private var usesSavepoints = false
    private var isInStep = false
    private var caution = 0

    /// A transaction begins.
    mutating func beginTransaction() {
        endTransaction()
        usesSavepoints = caution > 0
        if caution > 0 { caution -= 1 }
    }

    /// The transaction has ended.
    mutating func endTransaction() {
        isInStep = false
        kept.removeAll(keepingCapacity: true)
    }

    /// A step begins.
    mutating func begin() -> Kind {
        if kept.count >= Self.mostStatements { useSavepoints() }
        guard !usesSavepoints else { return .savepoint }
        stepStart = kept.count
        isInStep = true
        return .nothing
    }

    /// A statement has written.
    mutating func note(_ statement: SQLiteStatement, _ arguments: [DatabaseValue]) {
        guard isInStep else { return }
        kept.append(Statement(sql: statement.sql, arguments: arguments))
        if !statement.isRepeatable { usesSavepoints = true }
    }

    /// A step is kept.
    mutating func keep() -> Kind {
        guard isInStep else { return .savepoint }
        isInStep = false
        // What cannot be repeated need not be: the steps behind it are undone without.
        if usesSavepoints { useSavepoints() }
        return .nothing
    }

    /// A step is to be undone.
    mutating func undo() -> Undoing {
        caution = Self.cautiousTransactions
        guard isInStep else { return .savepoint }
        isInStep = false
        let before = Array(kept[..<stepStart])
        useSavepoints()
        return .replay(before)
    }

    private mutating func useSavepoints() {
        usesSavepoints = true
        kept.removeAll()
    }
}
