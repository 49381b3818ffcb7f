// What Swift needs of SQLite (3.40 or later). Only the module Database imports this.
#pragma once

#include <pthread.h>
#include <sqlite3.h>

/// glibc declares it for GNU sources only, which Swift's view of <pthread.h> is not.
extern int pthread_setname_np(pthread_t thread, const char *name);

/// Names the calling thread in debuggers and `top -H`; at most 15 bytes, a longer name is refused by the system.
static inline int csqlite_name_thread(const char *name) {
    return pthread_setname_np(pthread_self(), name);
}

/// Settings of the whole process, to be made before the first connection; `sqlite3_config` is variadic, which Swift
/// does not import. No memory statistics (they take a process-wide lock on every allocation) and savepoint journals in
/// memory, not in temporary files.
///
/// Returns SQLITE_OK, or SQLITE_MISUSE when somebody else has initialised SQLite before; it then runs as it was set.
static inline int csqlite_configure_process(void) {
    int rc = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (rc == SQLITE_OK) rc = sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
    return rc;
}

/// Settings of one connection that have no PRAGMA (`sqlite3_db_config` is variadic): `"x"` is an identifier and never
/// text, and no statement can corrupt the file on purpose.
static inline int csqlite_configure_connection(sqlite3 *database) {
    int rc = sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DML, 0, (int *)0);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)0);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
    return rc;
}

/// Binds UTF-8 text that outlives the statement's run. A null pointer would bind NULL, so empty text gets an address.
static inline int csqlite_bind_text(sqlite3_stmt *statement, int index, const void *bytes, sqlite3_uint64 count) {
    return sqlite3_bind_text64(statement, index, bytes ? (const char *)bytes : "", count, SQLITE_STATIC, SQLITE_UTF8);
}

/// Binds bytes that outlive the statement's run. A null pointer would bind NULL, so an empty blob gets an address.
static inline int csqlite_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, sqlite3_uint64 count) {
    return sqlite3_bind_blob64(statement, index, bytes ? bytes : "", count, SQLITE_STATIC);
}
