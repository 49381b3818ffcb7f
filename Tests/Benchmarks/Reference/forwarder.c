#include "forwarder.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker.h"
#include "store.h"
#include "support.h"

enum { window = 1000, slots = 2048, buckets = 4096, offset_interval_ns = 50000000 };

enum progress { waiting, under_way, done };

/// An event that is read and not yet forgotten.
struct entry {
    char id[40], source[64], type[64], subject[64];
    int64_t time;
    char *envelope;
    size_t length;
    enum progress progress;
    /// The next one of its subject; 0 for none.
    int64_t next;
};

/// The last event of a subject that has some.
struct line {
    char subject[64];
    int64_t last;
    struct line *next;
};

struct machine {
    struct forwarder *forwarder;
    amqp_connection_state_t connection;
    struct store *store;
    struct entry entries[slots];
    struct line *lines[buckets], *spare;
    int64_t tags[slots];
    int64_t read_through, forwarded_through;
    uint64_t sent, first_unconfirmed;
};

static struct entry *entry_at(struct machine *machine, int64_t position) {
    return &machine->entries[position & (slots - 1)];
}

static struct line **line_of(struct machine *machine, const char *subject) {
    uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char *at = subject; *at; at++) hash = (hash ^ (unsigned char)*at) * 0x100000001B3ULL;
    struct line **link = &machine->lines[hash & (buckets - 1)];
    while (*link && strcmp((*link)->subject, subject) != 0) link = &(*link)->next;
    return link;
}

static void publish_entry(struct machine *machine, int64_t position) {
    struct entry *entry = entry_at(machine, position);
    struct member members[] = {{.name = "correlationid"}};
    if (!json_object((struct piece){entry->envelope, entry->length}, members, 1)) die("an event cannot be read");
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG
            | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_APP_ID_FLAG,
        .content_type = amqp_cstring_bytes("application/cloudevents+json; charset=utf-8"),
        .delivery_mode = 2,
        .correlation_id = {.len = members[0].value.length, .bytes = (void *)members[0].value.start},
        .message_id = amqp_cstring_bytes(entry->id),
        .timestamp = (uint64_t)entry->time / 1000,
        .type = amqp_cstring_bytes(entry->type),
        .app_id = amqp_cstring_bytes(entry->source),
    };
    const char *mandatory = machine->forwarder->mandatory_type;
    int status = amqp_basic_publish(
        machine->connection, broker_channel, amqp_cstring_bytes("warren.events"), amqp_cstring_bytes(entry->type),
        mandatory && strcmp(mandatory, entry->type) == 0, 0, &properties,
        (amqp_bytes_t){.len = entry->length, .bytes = entry->envelope});
    if (status != AMQP_STATUS_OK) die("forwarding: %s", amqp_error_string2(status));
    entry->progress = under_way;
    machine->sent++;
    machine->tags[machine->sent & (slots - 1)] = position;
}

static void copy_column(char *to, size_t size, sqlite3_stmt *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    if (!text || strlen(text) >= size) die("a column does not fit");
    strcpy(to, text);
}

/// Reads what fits into the window, and publishes what is first of its subject. Gives whether there may be more.
static bool read_events(struct machine *machine) {
    int64_t room = window - (machine->read_through - machine->forwarded_through);
    if (room < window / 2) return true;
    sqlite3_stmt *read = machine->store->read;
    sqlite3_bind_text(read, 1, "(forwarder)", -1, SQLITE_STATIC);
    sqlite3_bind_int64(read, 2, machine->read_through);
    sqlite3_bind_int64(read, 3, room);
    int64_t first = machine->read_through + 1;
    while (sqlite3_step(read) == SQLITE_ROW) {
        int64_t position = sqlite3_column_int64(read, 0);
        if (position != machine->read_through + 1) die("a position is missing");
        if (sqlite3_column_int(read, 8)) die("an event is blocked");
        struct entry *entry = entry_at(machine, position);
        copy_column(entry->id, sizeof entry->id, read, 1);
        copy_column(entry->source, sizeof entry->source, read, 2);
        copy_column(entry->type, sizeof entry->type, read, 3);
        copy_column(entry->subject, sizeof entry->subject, read, 4);
        entry->time = sqlite3_column_int64(read, 6);
        entry->length = (size_t)sqlite3_column_bytes(read, 7);
        entry->envelope = malloc(entry->length);
        memcpy(entry->envelope, sqlite3_column_blob(read, 7), entry->length);
        entry->progress = waiting;
        entry->next = 0;
        machine->read_through = position;
    }
    sqlite3_reset(read);
    for (int64_t position = first; position <= machine->read_through; position++) {
        struct entry *entry = entry_at(machine, position);
        struct line **link = line_of(machine, entry->subject);
        if (*link) {
            entry_at(machine, (*link)->last)->next = position;
            (*link)->last = position;
            continue;
        }
        struct line *line = machine->spare ? machine->spare : malloc(sizeof *line);
        if (machine->spare) machine->spare = line->next;
        strcpy(line->subject, entry->subject);
        line->last = position;
        line->next = NULL;
        *link = line;
        publish_entry(machine, position);
    }
    return machine->read_through - first + 1 == room;
}

static void confirm_tag(struct machine *machine, uint64_t tag) {
    struct entry *entry = entry_at(machine, machine->tags[tag & (slots - 1)]);
    if (entry->progress == done) return;
    entry->progress = done;
    free(entry->envelope);
    entry->envelope = NULL;
    if (entry->next) {
        publish_entry(machine, entry->next);
    } else {
        struct line **link = line_of(machine, entry->subject);
        struct line *line = *link;
        *link = line->next;
        line->next = machine->spare;
        machine->spare = line;
    }
    while (machine->forwarded_through < machine->read_through
           && entry_at(machine, machine->forwarded_through + 1)->progress == done) {
        machine->forwarded_through++;
    }
}

static bool take_confirms(struct machine *machine) {
    struct broker_confirm confirm;
    bool any = false;
    while (machine->first_unconfirmed <= machine->sent && broker_next_confirm(machine->connection, 0, &confirm)) {
        any = true;
        uint64_t from = confirm.multiple ? machine->first_unconfirmed : confirm.number;
        for (uint64_t tag = from; tag <= confirm.number; tag++) confirm_tag(machine, tag);
        while (machine->first_unconfirmed <= machine->sent) {
            int64_t position = machine->tags[machine->first_unconfirmed & (slots - 1)];
            if (position > machine->forwarded_through && entry_at(machine, position)->progress != done) break;
            machine->first_unconfirmed++;
        }
    }
    return any;
}

static void *run(void *argument) {
    struct machine *machine = argument;
    bool may_have_more = true;
    for (;;) {
        bool any = take_confirms(machine);
        if (any) atomic_store(&machine->forwarder->forwarded, machine->forwarded_through);
        int64_t before = machine->read_through;
        if (may_have_more) may_have_more = read_events(machine);
        if (any || machine->read_through != before) continue;
        struct pollfd descriptors[] = {
            {.fd = amqp_get_sockfd(machine->connection), .events = POLLIN},
            {.fd = machine->forwarder->wake, .events = POLLIN},
        };
        poll(descriptors, 2, 1000);
        if (descriptors[1].revents) {
            uint64_t value;
            if (read(machine->forwarder->wake, &value, sizeof value) == sizeof value) may_have_more = true;
        } else if (!descriptors[0].revents) {
            // Nothing for a second: heartbeats are served, and the store is looked at.
            struct broker_confirm none;
            broker_next_confirm(machine->connection, 0, &none);
            may_have_more = true;
        }
    }
    return NULL;
}

void forwarder_start(struct forwarder *forwarder, const char *url, const char *path, const char *mandatory_type) {
    struct machine *machine = calloc(1, sizeof *machine);
    *forwarder = (struct forwarder){.url = url, .path = path, .mandatory_type = mandatory_type};
    forwarder->wake = eventfd(0, EFD_NONBLOCK);
    machine->forwarder = forwarder;
    machine->connection = broker_connect(url);
    broker_select_confirms(machine->connection);
    machine->store = store_open(path);
    machine->first_unconfirmed = 1;
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, machine) != 0) die("no thread");
    pthread_detach(thread);
}

void forwarder_committed(struct forwarder *forwarder) {
    uint64_t one = 1;
    if (write(forwarder->wake, &one, sizeof one) != sizeof one) die("cannot wake the forwarder");
}

int forwarder_has_offset(struct forwarder *forwarder, int64_t now) {
    return atomic_load(&forwarder->forwarded) != forwarder->stored
        && now - forwarder->stored_at >= offset_interval_ns;
}

void forwarder_store_offset(struct forwarder *forwarder, struct store *store, int64_t now) {
    if (!forwarder_has_offset(forwarder, now)) return;
    forwarder->stored = atomic_load(&forwarder->forwarded);
    forwarder->stored_at = now;
    store_offset(store, forwarder->stored);
}
