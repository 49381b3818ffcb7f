/// An ordered set of schema changes under one name (`warren`, `orders`).
///
/// A migration that has been applied is history: it keeps its name, its text and its place. What changes is a new
/// migration at the end. ``Database/open(_:migrations:logger:)`` refuses a set that breaks this rule.
///
/// Columns are `INTEGER` (64 bits), `REAL`, `TEXT` and `BLOB`; a key that the database chooses is `INTEGER PRIMARY KEY
/// AUTOINCREMENT`. These words are SQLite's: an engine that has others for them puts them in their place.
public struct MigrationSet: Sendable {
    /// One schema change: one or several SQL statements, applied in one transaction.
    public struct Migration: Sendable {
        /// The name, unique in its set: `create orders`.
        public let name: String
        /// The statements, separated by semicolons.
        public let sql: String

        /// Makes a migration.
        public init(_ name: String, _ sql: String) {
            self.name = name
            self.sql = sql
        }

        /// FNV-1a, 128 bits, over the text.
        ///
        /// It notices an edit; it is no protection against somebody who wants a
        /// collision, who could edit the recorded checksum as well.
        ///
        /// Source: Fowler, Noll, Vo, Eastlake, "The FNV Non-Cryptographic Hash Algorithm" (RFC 9923).
        var checksum: String {
            var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
            for byte in sql.utf8 {
                hash = (hash ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013b
            }
            let digits = String(hash, radix: 16)
            return String(repeating: "0", count: 32 - digits.utf8.count) + digits
        }
    }

    /// The name of the set, unique in its database.
    public let name: String
    /// The migrations, oldest first.
    public let migrations: [Migration]

    /// Makes a set.
    public init(_ name: String, _ migrations: [Migration]) {
        self.name = name
        self.migrations = migrations
    }
}
