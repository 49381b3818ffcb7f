// The module's interface, to be spread over files named for their concepts as it is implemented.
public import Telemetry

/// A value in a statement's arguments or a row.
public enum DatabaseValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

/// A Swift type that a column can hold: Int, Int64, Bool, Double, String, [UInt8] and optionals of these.
public protocol DatabaseConvertible: Sendable {
    var databaseValue: DatabaseValue { get }
    /// nil when the value has another type or does not fit.
    init?(databaseValue: DatabaseValue)
}

extension String: DatabaseConvertible {
    public var databaseValue: DatabaseValue { .text(self) }
    public init?(databaseValue: DatabaseValue) { fatalError() }
}
extension Int: DatabaseConvertible {
    public var databaseValue: DatabaseValue { .integer(Int64(self)) }
    public init?(databaseValue: DatabaseValue) { fatalError() }
}
extension Int64: DatabaseConvertible {
    public var databaseValue: DatabaseValue { .integer(self) }
    public init?(databaseValue: DatabaseValue) { fatalError() }
}
extension Bool: DatabaseConvertible {
    public var databaseValue: DatabaseValue { .integer(self ? 1 : 0) }
    public init?(databaseValue: DatabaseValue) { fatalError() }
}
extension Double: DatabaseConvertible {
    public var databaseValue: DatabaseValue { .real(self) }
    public init?(databaseValue: DatabaseValue) { fatalError() }
}
extension [UInt8]: DatabaseConvertible {
    public var databaseValue: DatabaseValue { .blob(self) }
    public init?(databaseValue: DatabaseValue) { fatalError() }
}
extension Optional: DatabaseConvertible where Wrapped: DatabaseConvertible {
    public var databaseValue: DatabaseValue { fatalError() }
    public init?(databaseValue: DatabaseValue) { fatalError() }
}

/// One row of a result.
public struct Row: Sendable {
    /// `let id: String = try row["id"]`. Throws `DatabaseError` naming the column when it is missing or has another type.
    public subscript<Value: DatabaseConvertible>(column: String) -> Value {
        get throws { fatalError() }
    }
    /// By position, from 0.
    public subscript<Value: DatabaseConvertible>(position: Int) -> Value {
        get throws { fatalError() }
    }
}

/// What a read or write closure works with. Valid only inside the closure.
public final class Transaction {
    /// What the layer above attaches for the length of a closure (the messaging layer: where appended events go).
    public var context: (any Sendable)?
    /// Runs a statement (`$1`… placeholders) and gives the number of rows changed.
    @discardableResult
    public func execute(_ sql: String, _ arguments: (any DatabaseConvertible)?...) throws -> Int { fatalError() }
    /// Runs a query (or a statement with RETURNING) and gives its rows.
    public func query(_ sql: String, _ arguments: (any DatabaseConvertible)?...) throws -> [Row] { fatalError() }
    /// The first row of a query, or nil.
    public func first(_ sql: String, _ arguments: (any DatabaseConvertible)?...) throws -> Row? { fatalError() }
    /// Registers what is called, on the writer's thread, after the transaction that contains this closure's effects is
    /// durable; never when it is rolled back. Must not block.
    public func afterCommit(_ action: @escaping @Sendable () -> Void) { fatalError() }
    init() {}
}

/// An ordered set of schema changes under one name (`warren`, `orders`).
public struct MigrationSet: Sendable {
    public struct Migration: Sendable {
        public let name: String
        public let sql: String
        public init(_ name: String, _ sql: String) { self.name = name; self.sql = sql }
    }
    public let name: String
    public let migrations: [Migration]
    public init(_ name: String, _ migrations: [Migration]) { self.name = name; self.migrations = migrations }
}

/// An error of the database. Holds no SQL arguments.
public struct DatabaseError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        case invalidURL, cannotOpen, busy, full, readOnly, ioFailed, corrupt, constraint(unique: Bool), migration, misuse, conversion, closed, other
    }
    public let code: Code
    public let reason: String
    public init(code: Code, reason: String) { self.code = code; self.reason = reason }
    /// Whether the same operation may succeed later without a change.
    public var isTransient: Bool { code == .busy || code == .full || code == .ioFailed || code == .readOnly }
    public var description: String { "\(code): \(reason)" }
}

/// A database with one writer that commits groups, and readers beside it.
public final class Database: Sendable {
    /// Opens `sqlite:PATH` (or `sqlite::memory:` is refused), applies migrations, starts the writer.
    public static func open(_ url: String, migrations: [MigrationSet], logger: Logger) async throws -> Database { fatalError() }
    /// Runs `body` in a transaction shared with whatever else is waiting, in a savepoint of its own; returns after the
    /// commit is durable. A throw rolls back this closure's effects alone. Once called it runs to its end even when the
    /// task is cancelled. `body` must not block or do I/O of its own.
    public func write<Result: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> Result) async throws -> Result { fatalError() }
    /// The same without a task: `completion` is called on the writer's thread after the commit (or failure).
    public func submit<Result: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Result,
        completion: @escaping @Sendable (Swift.Result<Result, any Error>) -> Void
    ) { fatalError() }
    /// Runs `body` on a reader, in one consistent snapshot.
    public func read<Result: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> Result) async throws -> Result { fatalError() }
    /// Finishes what was queued, checkpoints and closes. Later calls throw `.closed`.
    public func close() async { fatalError() }
    /// Counters for metrics: transactions committed, closures in them, WAL bytes.
    public struct Statistics: Sendable { public var commits = 0; public var closures = 0; public var walBytes = 0 }
    public var statistics: Statistics { fatalError() }
}
