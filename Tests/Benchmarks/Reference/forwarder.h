// Publishes the event store in order, on a thread of its own.
#ifndef REFERENCE_FORWARDER_H
#define REFERENCE_FORWARDER_H

#include <stdatomic.h>
#include <stdint.h>

struct forwarder {
    const char *url, *path, *mandatory_type;
    int wake;
    /// Everything up to here is confirmed; the store's writer writes it down.
    _Atomic int64_t forwarded;
    int64_t stored;
    int64_t stored_at;
};

struct store;

/// Starts the thread. `mandatory_type`: the type that somebody subscribes to, or NULL.
void forwarder_start(struct forwarder *forwarder, const char *url, const char *path, const char *mandatory_type);
/// There are new events in the store.
void forwarder_committed(struct forwarder *forwarder);
/// Inside a transaction of the store's writer: writes down how far it is, at most every 50 ms.
void forwarder_store_offset(struct forwarder *forwarder, struct store *store, int64_t now);
/// Whether there is an offset that should be written down now.
int forwarder_has_offset(struct forwarder *forwarder, int64_t now);

#endif
