internal import Database

extension MigrationSet {
    /// The kit's tables.
    ///
    /// A condition that every insert evaluates is written without `IN`: SQLite builds a temporary table for each list of
    /// more than two values, at every insert, which made half of the cost of a receipt.
    static let messaging = MigrationSet(
        "warren",
        [
            .init(
                "event store",
                """
                CREATE TABLE warren_events (
                    position INTEGER PRIMARY KEY AUTOINCREMENT,
                    id TEXT NOT NULL,
                    source TEXT NOT NULL,
                    type TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    sequence INTEGER NOT NULL,
                    time INTEGER NOT NULL,
                    envelope BLOB NOT NULL
                );
                CREATE UNIQUE INDEX warren_events_subject ON warren_events (source, subject, sequence);
                CREATE TABLE warren_offsets (
                    name TEXT PRIMARY KEY,
                    position INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL
                );
                """
            ),
            .init(
                "deliveries",
                """
                CREATE TABLE warren_deliveries (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    subscriber TEXT NOT NULL,
                    source TEXT NOT NULL,
                    event_id TEXT NOT NULL,
                    type TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    sequence INTEGER,
                    status TEXT NOT NULL CHECK (
                        status = 'processed' OR status = 'scheduled' OR status = 'held' OR status = 'dead'
                            OR status = 'discarded'
                    ),
                    generation INTEGER NOT NULL DEFAULT 0,
                    attempts INTEGER NOT NULL DEFAULT 0,
                    suspect INTEGER NOT NULL DEFAULT 0,
                    running_since INTEGER,
                    due_at INTEGER,
                    received_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL,
                    error_class TEXT,
                    error_message TEXT,
                    body BLOB,
                    properties TEXT
                );
                CREATE UNIQUE INDEX warren_deliveries_identity ON warren_deliveries (subscriber, source, event_id);
                CREATE INDEX warren_deliveries_waiting ON warren_deliveries (subscriber, source, subject)
                    WHERE status <> 'processed' AND status <> 'discarded';
                CREATE INDEX warren_deliveries_due ON warren_deliveries (due_at) WHERE status = 'scheduled';
                CREATE INDEX warren_deliveries_state ON warren_deliveries (status, id) WHERE status <> 'processed';
                CREATE TABLE warren_attempts (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    delivery_id INTEGER NOT NULL REFERENCES warren_deliveries (id),
                    generation INTEGER NOT NULL,
                    attempt INTEGER NOT NULL,
                    started_at INTEGER NOT NULL,
                    duration_ms INTEGER NOT NULL,
                    host TEXT NOT NULL,
                    error_class TEXT NOT NULL,
                    message TEXT NOT NULL
                );
                CREATE INDEX warren_attempts_delivery ON warren_attempts (delivery_id, id);
                CREATE TABLE warren_audit (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    at INTEGER NOT NULL,
                    actor TEXT NOT NULL,
                    action TEXT NOT NULL,
                    delivery_id INTEGER NOT NULL,
                    reason TEXT NOT NULL
                );
                """
            ),
            .init(
                "timeouts",
                """
                CREATE TABLE warren_timeouts (
                    key TEXT PRIMARY KEY,
                    delivery_id INTEGER NOT NULL
                );
                CREATE UNIQUE INDEX warren_timeouts_delivery ON warren_timeouts (delivery_id);
                """
            ),
            .init(
                "dead letters in bulk",
                """
                CREATE INDEX warren_deliveries_kind ON warren_deliveries (status, type, error_class)
                    WHERE status = 'dead' OR status = 'discarded';
                CREATE INDEX warren_deliveries_changed ON warren_deliveries (status, updated_at)
                    WHERE status <> 'processed';
                CREATE INDEX warren_deliveries_subject ON warren_deliveries (subject, status)
                    WHERE status <> 'processed';
                CREATE TABLE warren_dead_letter_groups (
                    status TEXT NOT NULL,
                    type TEXT NOT NULL,
                    error_class TEXT NOT NULL,
                    count INTEGER NOT NULL,
                    last_seen INTEGER NOT NULL,
                    PRIMARY KEY (status, type, error_class)
                );
                CREATE INDEX warren_dead_letter_groups_count ON warren_dead_letter_groups (status, count);
                INSERT INTO warren_dead_letter_groups (status, type, error_class, count, last_seen)
                    SELECT status, type, COALESCE(error_class, ''), COUNT(*), MAX(updated_at) FROM warren_deliveries
                    WHERE status = 'dead' OR status = 'discarded' GROUP BY status, type, COALESCE(error_class, '');
                CREATE TABLE warren_operations (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    action TEXT NOT NULL,
                    filter TEXT NOT NULL,
                    item_limit INTEGER,
                    rate REAL,
                    ramp INTEGER,
                    actor TEXT NOT NULL,
                    reason TEXT NOT NULL,
                    state TEXT NOT NULL,
                    last_id INTEGER NOT NULL,
                    cursor INTEGER NOT NULL,
                    total INTEGER,
                    done INTEGER NOT NULL,
                    failed INTEGER NOT NULL,
                    created_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL,
                    finished_at INTEGER
                );
                CREATE INDEX warren_operations_running ON warren_operations (id) WHERE state = 'running';
                ALTER TABLE warren_audit ADD COLUMN operation_id INTEGER;
                """
            ),
            .init(
                "deferrals with an end",
                """
                ALTER TABLE warren_deliveries ADD COLUMN deferred_since INTEGER;
                """
            ),
            .init(
                "costs that stay linear",
                """
                DROP INDEX warren_deliveries_waiting;
                CREATE INDEX warren_deliveries_line
                    ON warren_deliveries (subscriber, source, subject, status, COALESCE(sequence, 0), id)
                    WHERE status <> 'processed' AND status <> 'discarded';
                CREATE INDEX warren_deliveries_running ON warren_deliveries (id) WHERE running_since IS NOT NULL;
                CREATE INDEX warren_deliveries_oldest ON warren_deliveries (received_at) WHERE status = 'scheduled';
                CREATE TABLE warren_subjects (
                    source TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    sequence INTEGER NOT NULL,
                    PRIMARY KEY (source, subject)
                );
                CREATE TABLE warren_clock (
                    id INTEGER PRIMARY KEY,
                    boot TEXT NOT NULL,
                    boot_offset INTEGER NOT NULL,
                    seen INTEGER NOT NULL,
                    lead INTEGER NOT NULL,
                    lowest_lead INTEGER NOT NULL,
                    stepped_at INTEGER
                );
                """
            ),
        ]
    )
}
