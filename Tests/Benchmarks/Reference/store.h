// The kit's tables and statements, prepared, on one connection to SQLite with the kit's settings.
#ifndef REFERENCE_STORE_H
#define REFERENCE_STORE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "json.h"

struct store {
    sqlite3 *database;
    sqlite3_stmt *begin, *commit, *savepoint, *release;
    sqlite3_stmt *sequence, *append, *blocked, *receipt, *effect, *offset, *read;
};

/// Opens the database, and makes the tables where they are missing.
struct store *store_open(const char *path);
void store_close(struct store *store);

/// Runs a statement without arguments or rows.
void store_run(struct store *store, sqlite3_stmt *statement);

/// What an event of the benchmark says.
struct payload {
    int64_t number;
    struct piece subject, text;
};

/// Numbers an event, makes its envelope and appends it; inside a transaction.
void store_append(
    struct store *store, const char *source, const char *type, struct payload payload, struct piece correlation,
    struct piece cause);

/// The attributes that a receipt is made of.
struct arrival {
    struct piece id, source, type, subject, sequence, correlation, data;
};

/// Whether an earlier delivery of the subject stands in the way.
bool store_is_blocked(struct store *store, const char *subscriber, const struct arrival *arrival);
/// Writes the receipt; false when it is there already.
bool store_receipt(struct store *store, const char *subscriber, const struct arrival *arrival, int64_t received);
/// The handler's own row.
void store_effect(struct store *store, int64_t number, struct piece subject);
/// How far the forwarder has come.
void store_offset(struct store *store, int64_t position);

#endif
