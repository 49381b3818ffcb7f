import Glibc

/// Brings a database's schema to where the program's migrations lead.
///
/// What has been applied is recorded in `warren_migrations`, one row per migration, in the same transaction.
struct Migrator {
    let sets: [MigrationSet]
    /// Called with the name of each migration that is to be applied; what it throws ends the whole.
    var willApply: (String) throws -> Void = { _ in }

    /// Applies what is missing, in order, each migration in a transaction of its own.
    ///
    /// - Throws: `.migration` when the sets do not continue what has been applied; nothing is then changed. The error of
    ///   a migration that fails names it; those before it stay applied.
    /// - Returns: the names of the migrations that were applied.
    func apply(on connection: any EngineConnection) throws -> [String] {
        try refuseDuplicates()
        try inTransaction(on: connection) {
            _ = try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS warren_migrations (
                    set_name TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
                    applied_at BIGINT NOT NULL, PRIMARY KEY (set_name, name)
                )
                """,
                []
            )
        }
        var missing: [(set: MigrationSet, position: Int)] = []
        for set in sets {
            let applied = try connection.query(
                "SELECT name, checksum FROM warren_migrations WHERE set_name = $1 ORDER BY position",
                [set.name.databaseValue],
                limit: .max
            )
            try compare(set, with: applied)
            for position in applied.count..<set.migrations.count { missing.append((set, position)) }
        }
        for (set, position) in missing {
            try willApply("\(set.name)/\(set.migrations[position].name)")
            try apply(set.migrations[position], at: position, of: set, on: connection)
        }
        return missing.map { set, position in "\(set.name)/\(set.migrations[position].name)" }
    }

    private func refuseDuplicates() throws {
        var names: Set<String> = []
        for set in sets where !names.insert(set.name).inserted {
            throw DatabaseError(code: .migration, reason: "there are two migration sets \"\(set.name)\"")
        }
        for set in sets {
            names.removeAll()
            for migration in set.migrations where !names.insert(migration.name).inserted {
                throw DatabaseError(
                    code: .migration,
                    reason: "migration set \"\(set.name)\" has two migrations \"\(migration.name)\""
                )
            }
        }
    }

    /// What has been applied must be the beginning of the set: same names, same order, same text.
    private func compare(_ set: MigrationSet, with applied: [Row]) throws {
        for (position, row) in applied.enumerated() {
            let name: String = try row["name"]
            let checksum: String = try row["checksum"]
            let place = "migration \(position + 1) of set \"\(set.name)\""
            guard position < set.migrations.count else {
                throw DatabaseError(
                    code: .migration,
                    reason: "\(place), \"\(name)\", has been applied but is not in this program: "
                        + "run the newer version, or restore the backup that belongs to this one"
                )
            }
            let migration = set.migrations[position]
            guard migration.name == name else {
                throw DatabaseError(
                    code: .migration,
                    reason: "\(place) was \"\(name)\" when it was applied and is \"\(migration.name)\" now: "
                        + "keep the order, put new migrations at the end"
                )
            }
            guard migration.checksum == checksum else {
                throw DatabaseError(
                    code: .migration,
                    reason: "\(place), \"\(name)\", was edited after it had been applied: "
                        + "restore its text and put the change into a new migration at the end"
                )
            }
        }
    }

    private func apply(
        _ migration: MigrationSet.Migration,
        at position: Int,
        of set: MigrationSet,
        on connection: any EngineConnection
    ) throws {
        do {
            try inTransaction(on: connection) {
                try connection.executeScript(migration.sql)
                try connection.checkStep()
                _ = try connection.execute(
                    """
                    INSERT INTO warren_migrations (set_name, position, name, checksum, applied_at)
                    VALUES ($1, $2, $3, $4, $5)
                    """,
                    Transaction.values(
                        set.name,
                        position,
                        migration.name,
                        migration.checksum,
                        Self.millisecondsSince1970()
                    )
                )
            }
        } catch let error as DatabaseError {
            throw DatabaseError(
                code: error.code,
                reason: "migration \"\(migration.name)\" of set \"\(set.name)\" failed: \(error.reason)"
            )
        }
    }

    private func inTransaction(on connection: any EngineConnection, _ body: () throws -> Void) throws {
        do {
            try connection.beginWrite()
            try body()
            try connection.commit()
        } catch {
            connection.rollBack()
            throw error
        }
    }

    private static func millisecondsSince1970() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
    }
}
