// The main job in C: append -> forward -> broker -> handle (receipt + one row + one event) -> commit -> ack.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "forwarder.h"
#include "programs.h"
#include "store.h"
#include "support.h"

enum { largest_group = 256, most_messages = 1024 };

static const char asked[] = "dev.warren.benchmark.asked";
static const char answered[] = "dev.warren.benchmark.answered";

static int group_size(const char *mode) {
    if (strcmp(mode, "group") == 0 || strcmp(mode, "bare") == 0) return largest_group;
    if (strcmp(mode, "single") == 0) return 1;
    die("a mode is group, bare or single");
}

/// Whether each event of a group has a savepoint of its own; without, one that failed would undo the others.
static bool has_savepoints(const char *mode) { return strcmp(mode, "group") == 0; }

/// Appends events, as many to a transaction as callers would be waiting.
void append(int count, char **arguments) {
    if (count != 8) die("append URL DATABASE COUNT SUBJECTS TEXT-BYTES group|bare|single RATE STAMPS");
    size_t total = strtoull(arguments[2], NULL, 10);
    size_t subjects = strtoull(arguments[3], NULL, 10);
    size_t text_bytes = strtoull(arguments[4], NULL, 10);
    size_t group = (size_t)group_size(arguments[5]);
    bool savepoints = has_savepoints(arguments[5]);
    double rate = atof(arguments[6]);
    char *text = malloc(text_bytes);
    memset(text, 'x', text_bytes);
    struct stamps stamps = stamps_make(total);
    struct store *store = store_open(arguments[1]);
    struct forwarder forwarder;
    forwarder_start(&forwarder, arguments[0], arguments[1], asked);
    ready_and_wait();

    int64_t began = monotonic_ns(), cpu = cpu_ns();
    for (size_t next = 0; next < total;) {
        if (rate > 0) sleep_until_ns(began + (int64_t)((double)next / rate * 1e9));
        size_t end = rate > 0 ? next + 1 : next + group < total ? next + group : total;
        store_run(store, store->begin);
        for (size_t number = next; number < end; number++) {
            char subject[32];
            int length = snprintf(subject, sizeof subject, "subject-%08zu", number % subjects);
            struct piece piece = {subject, (size_t)length};
            if (savepoints && end - next > 1) store_run(store, store->savepoint);
            store_append(
                store, "/producer", asked, (struct payload){(int64_t)number, piece, {text, text_bytes}}, piece,
                (struct piece){0});
            if (savepoints && end - next > 1) store_run(store, store->release);
        }
        forwarder_store_offset(&forwarder, store, monotonic_ns());
        store_run(store, store->commit);
        int64_t now = monotonic_ns();
        for (size_t number = next; number < end; number++) stamps.moments[number] = now;
        forwarder_committed(&forwarder);
        next = end;
    }
    int64_t appended = monotonic_ns();
    while (forwarder.stored < (int64_t)total) {
        int64_t now = monotonic_ns();
        if (forwarder_has_offset(&forwarder, now)) {
            store_run(store, store->begin);
            forwarder_store_offset(&forwarder, store, now);
            store_run(store, store->commit);
        } else {
            sleep_until_ns(now + 5000000);
        }
    }
    result("began", (double)began);
    result("appending", (double)(appended - began) / 1e9);
    result("forwarding", (double)(monotonic_ns() - began) / 1e9);
    result("cpu", (double)(cpu_ns() - cpu) / 1e9);
    stamps_write(&stamps, arguments[7]);
}

/// Reads an event, as far as a subscriber has to.
static struct arrival read_arrival(const amqp_envelope_t *delivery) {
    const amqp_basic_properties_t *properties = &delivery->message.properties;
    static const char media_type[] = "application/cloudevents+json";
    if (properties->content_type.len < sizeof media_type - 1
        || memcmp(properties->content_type.bytes, media_type, sizeof media_type - 1) != 0) {
        die("another content type");
    }
    struct member members[] = {
        {.name = "specversion"}, {.name = "id"}, {.name = "source"}, {.name = "type"}, {.name = "subject"},
        {.name = "sequence"}, {.name = "correlationid"}, {.name = "data"}, {.name = "time"},
    };
    struct piece body = {delivery->message.body.bytes, delivery->message.body.len};
    if (!json_object(body, members, sizeof members / sizeof members[0])) die("an event cannot be read");
    for (size_t index = 0; index < sizeof members / sizeof members[0]; index++) {
        if (members[index].value.length == 0) die("an attribute is missing");
    }
    struct arrival arrival = {
        .id = members[1].value, .source = members[2].value, .type = members[3].value, .subject = members[4].value,
        .sequence = members[5].value, .correlation = members[6].value, .data = members[7].value,
    };
    if (properties->message_id.len != arrival.id.length
        || memcmp(properties->message_id.bytes, arrival.id.start, arrival.id.length) != 0) {
        die("another message-id");
    }
    return arrival;
}

static struct payload read_payload(const struct arrival *arrival) {
    struct member members[] = {{.name = "number"}, {.name = "subject"}, {.name = "text"}};
    if (!json_object(arrival->data, members, 3)) die("a payload cannot be read");
    return (struct payload){strtoll(members[0].value.start, NULL, 10), members[1].value, members[2].value};
}

/// Handles one delivery inside a transaction; gives its number.
static int64_t handle_one(struct store *store, const amqp_envelope_t *delivery) {
    struct arrival arrival = read_arrival(delivery);
    int64_t received = wall_ms();
    if (store_is_blocked(store, "consumer", &arrival)) die("a subject is blocked");
    struct payload payload = read_payload(&arrival);
    if (!store_receipt(store, "consumer", &arrival, received)) die("a message came twice");
    store_effect(store, payload.number, payload.subject);
    store_append(store, "/consumer", answered, payload, arrival.correlation, arrival.id);
    return payload.number;
}

/// Handles what comes: a group is what has already arrived.
void handle(int count, char **arguments) {
    if (count != 6) die("handle URL DATABASE COUNT PREFETCH group|bare|single STAMPS");
    size_t total = strtoull(arguments[2], NULL, 10);
    size_t group = (size_t)group_size(arguments[4]);
    bool savepoints = has_savepoints(arguments[4]);
    struct stamps stamps = stamps_make(total);
    struct store *store = store_open(arguments[1]);
    struct forwarder forwarder;
    forwarder_start(&forwarder, arguments[0], arguments[1], NULL);
    amqp_connection_state_t connection = broker_connect(arguments[0]);
    ready_and_wait();

    int64_t cpu = cpu_ns();
    broker_consume(connection, "consumer", atoi(arguments[3]));
    static amqp_envelope_t deliveries[most_messages];
    int64_t numbers[largest_group];
    size_t commits = 0;
    for (size_t handled = 0; handled < total;) {
        size_t arrived = 0;
        while (arrived < largest_group && broker_next_delivery(connection, 0, &deliveries[arrived])) arrived++;
        if (arrived == 0) {
            struct pollfd descriptor = {.fd = amqp_get_sockfd(connection), .events = POLLIN};
            poll(&descriptor, 1, 50);
            int64_t now = monotonic_ns();
            if (descriptor.revents == 0 && forwarder_has_offset(&forwarder, now)) {
                store_run(store, store->begin);
                forwarder_store_offset(&forwarder, store, now);
                store_run(store, store->commit);
            }
            continue;
        }
        for (size_t next = 0; next < arrived;) {
            size_t end = next + group < arrived ? next + group : arrived;
            store_run(store, store->begin);
            for (size_t index = next; index < end; index++) {
                if (savepoints && end - next > 1) store_run(store, store->savepoint);
                numbers[index - next] = handle_one(store, &deliveries[index]);
                if (savepoints && end - next > 1) store_run(store, store->release);
            }
            forwarder_store_offset(&forwarder, store, monotonic_ns());
            store_run(store, store->commit);
            int64_t now = monotonic_ns();
            for (size_t index = next; index < end; index++) stamps.moments[numbers[index - next]] = now;
            forwarder_committed(&forwarder);
            next = end;
            commits++;
        }
        broker_ack(connection, deliveries[arrived - 1].delivery_tag);
        for (size_t index = 0; index < arrived; index++) amqp_destroy_envelope(&deliveries[index]);
        handled += arrived;
    }
    result("cpu", (double)(cpu_ns() - cpu) / 1e9);
    result("group", (double)total / (double)commits);
    stamps_write(&stamps, arguments[5]);
    // Quorum queues undo acks that are not yet applied when the channel closes.
    sleep_until_ns(monotonic_ns() + 150000000);
    broker_close(connection);
}
