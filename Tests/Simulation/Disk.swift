import Telemetry

@testable import Database
@testable import Messaging

/// What survives the end of a process: a real SQLite file, with one connection for writes and one for reads.
///
/// Unchecked: one thread.
final class Disk: @unchecked Sendable {
    let writer: SQLiteConnection
    let reader: SQLiteConnection

    /// Opens or makes the file, with the kit's tables and those of the simulated domain.
    init(path: String) throws {
        try SQLiteFile.create(path)
        writer = try SQLiteConnection(path: path, role: .writer, logger: .silent) { _ in }
        let domain = MigrationSet(
            "simulation",
            [
                .init(
                    "ledger",
                    """
                    CREATE TABLE produced (number INTEGER NOT NULL, subject TEXT NOT NULL);
                    CREATE TABLE effects (
                        place INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, event_id TEXT NOT NULL,
                        number INTEGER NOT NULL, subject TEXT NOT NULL, sequence INTEGER NOT NULL,
                        process INTEGER NOT NULL);
                    CREATE TRIGGER append_only BEFORE UPDATE ON warren_events BEGIN
                        SELECT RAISE(ABORT, 'the event store is never changed');
                    END;
                    """
                )
            ]
        )
        _ = try Migrator(sets: [MessagingRuntime.migrations, domain]).apply(on: writer)
        reader = try SQLiteConnection(path: path, role: .reader, logger: .silent) { _ in }
    }

    /// Makes it as new.
    func clear() throws {
        writer.beforeCommit = nil
        try writer.beginWrite()
        let tables = try writer.query("SELECT name FROM sqlite_master WHERE type = 'table'", [], limit: .max)
        // What refers to another table was made after it.
        for row in tables.reversed() {
            let table: String = try row[0]
            if table != "warren_migrations" { _ = try writer.execute("DELETE FROM \(table)", []) }
        }
        try writer.commit()
        writer.maintain()
    }
}
