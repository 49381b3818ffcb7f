import CSQLite

/// How full the write-ahead log is, and when it is time to checkpoint: a pure value.
struct SQLiteLogGauge {
    /// How a checkpoint goes about it.
    enum Checkpoint {
        /// What can be moved without waiting for anybody.
        case passive
        /// Waits for readers of old snapshots, so that the log starts from its beginning again.
        case restart
        /// The same, and cuts the log's file.
        case truncate

        var sqliteMode: Int32 {
            switch self {
            case .passive: SQLITE_CHECKPOINT_PASSIVE
            case .restart: SQLITE_CHECKPOINT_RESTART
            case .truncate: SQLITE_CHECKPOINT_TRUNCATE
            }
        }
    }

    /// Pages between two checkpoints; 16 MiB.
    static let interval = 4_000
    /// Pages from which on readers are waited for; 64 MiB.
    static let large = 16_000
    private static let frameBytes = 4_096 + 24

    /// Pages in the log, as the last commit left it.
    private var pages = 0
    /// Pages in the log when it was last checkpointed.
    private var checkpointed = 0

    /// Bytes of the log that are in use.
    var bytes: Int { pages * Self.frameBytes }

    /// Takes note of a commit.
    mutating func grew(to pages: Int) {
        // Everything was in the file, nobody read the log any more, and the commit began it anew.
        if pages < self.pages { checkpointed = 0 }
        self.pages = pages
    }

    /// The checkpoint that is due, which the caller makes now.
    mutating func nextCheckpoint() -> Checkpoint? {
        guard pages >= checkpointed + Self.interval else { return nil }
        checkpointed = pages
        return pages >= Self.large ? .restart : .passive
    }
}
