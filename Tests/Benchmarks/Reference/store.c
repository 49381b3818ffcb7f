#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS warren_events ("
    "    position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL,"
    "    subject TEXT NOT NULL, sequence INTEGER NOT NULL, time INTEGER NOT NULL, envelope BLOB NOT NULL);"
    "CREATE UNIQUE INDEX IF NOT EXISTS warren_events_subject ON warren_events (source, subject, sequence);"
    "CREATE TABLE IF NOT EXISTS warren_offsets ("
    "    name TEXT PRIMARY KEY, position INTEGER NOT NULL, updated_at INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS warren_deliveries ("
    "    id INTEGER PRIMARY KEY AUTOINCREMENT, subscriber TEXT NOT NULL, source TEXT NOT NULL, event_id TEXT NOT NULL,"
    "    type TEXT NOT NULL, subject TEXT NOT NULL, sequence INTEGER,"
    "    status TEXT NOT NULL CHECK (status = 'processed' OR status = 'scheduled' OR status = 'held'"
    "        OR status = 'dead' OR status = 'discarded'),"
    "    generation INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,"
    "    suspect INTEGER NOT NULL DEFAULT 0, running_since INTEGER, due_at INTEGER, received_at INTEGER NOT NULL,"
    "    updated_at INTEGER NOT NULL, error_class TEXT, error_message TEXT, body BLOB, properties TEXT);"
    "CREATE UNIQUE INDEX IF NOT EXISTS warren_deliveries_identity"
    "    ON warren_deliveries (subscriber, source, event_id);"
    "CREATE INDEX IF NOT EXISTS warren_deliveries_waiting ON warren_deliveries (subscriber, source, subject)"
    "    WHERE status <> 'processed' AND status <> 'discarded';"
    "CREATE INDEX IF NOT EXISTS warren_deliveries_due ON warren_deliveries (due_at) WHERE status = 'scheduled';"
    "CREATE INDEX IF NOT EXISTS warren_deliveries_state ON warren_deliveries (status, id)"
    "    WHERE status <> 'processed';"
    "CREATE TABLE IF NOT EXISTS effects (number INTEGER NOT NULL, subject TEXT NOT NULL);";

static void execute(sqlite3 *database, const char *sql) {
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) die("%s: %s", sqlite3_errmsg(database), sql);
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        die("%s: %s", sqlite3_errmsg(database), sql);
    }
    return statement;
}

struct store *store_open(const char *path) {
    struct store *store = calloc(1, sizeof *store);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &store->database, flags, NULL) != SQLITE_OK) die("cannot open %s", path);
    sqlite3_busy_timeout(store->database, 5000);
    execute(
        store->database,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; PRAGMA mmap_size = 0;"
        "PRAGMA wal_autocheckpoint = 4000;");
    execute(store->database, schema);
    sqlite3 *database = store->database;
    store->begin = prepare(database, "BEGIN IMMEDIATE");
    store->commit = prepare(database, "COMMIT");
    store->savepoint = prepare(database, "SAVEPOINT step");
    store->release = prepare(database, "RELEASE step");
    store->sequence = prepare(
        database,
        "SELECT sequence FROM warren_events WHERE source = ?1 AND subject = ?2 ORDER BY sequence DESC LIMIT 1");
    store->append = prepare(
        database,
        "INSERT INTO warren_events (id, source, type, subject, sequence, time, envelope)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    store->blocked = prepare(
        database,
        "SELECT 1 FROM warren_deliveries WHERE subscriber = ?1 AND source = ?2 AND subject = ?3"
        " AND status <> 'processed' AND status <> 'discarded' AND (status <> 'dead' OR ?4 = 1) AND id <> ?5 LIMIT 1");
    store->receipt = prepare(
        database,
        "INSERT INTO warren_deliveries"
        " (subscriber, source, event_id, type, subject, sequence, status, attempts, received_at, updated_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'processed', 1, ?7, ?8)"
        " ON CONFLICT (subscriber, source, event_id) DO NOTHING");
    store->effect = prepare(database, "INSERT INTO effects (number, subject) VALUES (?1, ?2)");
    store->offset = prepare(
        database,
        "INSERT INTO warren_offsets (name, position, updated_at) VALUES ('forwarder', ?1, ?2)"
        " ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at");
    store->read = prepare(
        database,
        "SELECT position, id, source, type, subject, sequence, time, envelope, EXISTS ("
        "    SELECT 1 FROM warren_deliveries"
        "    WHERE subscriber = ?1 AND source = warren_events.source AND subject = warren_events.subject"
        "        AND status <> 'processed' AND status <> 'discarded') AS blocked"
        " FROM warren_events WHERE position > ?2 ORDER BY position LIMIT ?3");
    return store;
}

void store_close(struct store *store) {
    sqlite3_stmt *statements[] = {store->begin,   store->commit,  store->savepoint, store->release,
                                  store->sequence, store->append, store->blocked,   store->receipt,
                                  store->effect,   store->offset, store->read};
    for (size_t index = 0; index < sizeof statements / sizeof statements[0]; index++) {
        sqlite3_finalize(statements[index]);
    }
    sqlite3_close(store->database);
    free(store);
}

/// Steps once and resets; gives whether there was a row.
static bool step(struct store *store, sqlite3_stmt *statement) {
    int status = sqlite3_step(statement);
    if (status != SQLITE_ROW && status != SQLITE_DONE) {
        die("%s: %s", sqlite3_errmsg(store->database), sqlite3_sql(statement));
    }
    sqlite3_reset(statement);
    return status == SQLITE_ROW;
}

void store_run(struct store *store, sqlite3_stmt *statement) { step(store, statement); }

static void bind_piece(sqlite3_stmt *statement, int index, struct piece piece) {
    sqlite3_bind_text(statement, index, piece.start, (int)piece.length, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text) {
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

void store_append(
    struct store *store, const char *source, const char *type, struct payload payload, struct piece correlation,
    struct piece cause) {
    sqlite3_stmt *last = store->sequence;
    bind_text(last, 1, source);
    bind_piece(last, 2, payload.subject);
    int64_t sequence = 1;
    if (sqlite3_step(last) == SQLITE_ROW) sequence = sqlite3_column_int64(last, 0) + 1;
    sqlite3_reset(last);

    int64_t now = wall_ms();
    char id[37], time[25], envelope[4096], causation[64] = "";
    make_uuid(id, now);
    make_time(time, now);
    if (cause.length > 0) {
        snprintf(causation, sizeof causation, ",\"causationid\":\"%.*s\"", (int)cause.length, cause.start);
    }
    int length = snprintf(
        envelope, sizeof envelope,
        "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"%s\",\"type\":\"%s\",\"subject\":\"%.*s\",\"time\":\"%s\","
        "\"datacontenttype\":\"application/json\",\"sequence\":\"%020lld\",\"correlationid\":\"%.*s\"%s,"
        "\"data\":{\"number\":%lld,\"subject\":\"%.*s\",\"text\":\"%.*s\"}}",
        id, source, type, (int)payload.subject.length, payload.subject.start, time, (long long)sequence,
        (int)correlation.length, correlation.start, causation, (long long)payload.number,
        (int)payload.subject.length, payload.subject.start, (int)payload.text.length, payload.text.start);
    if (length >= (int)sizeof envelope) die("the event is too large");

    sqlite3_stmt *append = store->append;
    bind_text(append, 1, id);
    bind_text(append, 2, source);
    bind_text(append, 3, type);
    bind_piece(append, 4, payload.subject);
    sqlite3_bind_int64(append, 5, sequence);
    sqlite3_bind_int64(append, 6, now);
    sqlite3_bind_blob(append, 7, envelope, length, SQLITE_STATIC);
    step(store, append);
}

bool store_is_blocked(struct store *store, const char *subscriber, const struct arrival *arrival) {
    bind_text(store->blocked, 1, subscriber);
    bind_piece(store->blocked, 2, arrival->source);
    bind_piece(store->blocked, 3, arrival->subject);
    sqlite3_bind_int64(store->blocked, 4, 1);
    sqlite3_bind_int64(store->blocked, 5, -1);
    return step(store, store->blocked);
}

bool store_receipt(struct store *store, const char *subscriber, const struct arrival *arrival, int64_t received) {
    sqlite3_stmt *receipt = store->receipt;
    bind_text(receipt, 1, subscriber);
    bind_piece(receipt, 2, arrival->source);
    bind_piece(receipt, 3, arrival->id);
    bind_piece(receipt, 4, arrival->type);
    bind_piece(receipt, 5, arrival->subject);
    sqlite3_bind_int64(receipt, 6, strtoll(arrival->sequence.start, NULL, 10));
    sqlite3_bind_int64(receipt, 7, received);
    sqlite3_bind_int64(receipt, 8, wall_ms());
    step(store, receipt);
    return sqlite3_changes(store->database) == 1;
}

void store_effect(struct store *store, int64_t number, struct piece subject) {
    sqlite3_bind_int64(store->effect, 1, number);
    bind_piece(store->effect, 2, subject);
    step(store, store->effect);
}

void store_offset(struct store *store, int64_t position) {
    sqlite3_bind_int64(store->offset, 1, position);
    sqlite3_bind_int64(store->offset, 2, wall_ms());
    step(store, store->offset);
}
