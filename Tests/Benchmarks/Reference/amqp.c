// The AMQP client's counterparts: publish with a window of confirms, consume with manual acks, do nothing.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "programs.h"
#include "support.h"

void queue_declare(int count, char **arguments) {
    if (count != 3) die("queue-declare URL NAME quorum|classic");
    amqp_connection_state_t connection = broker_connect(arguments[0]);
    broker_declare_queue(connection, arguments[1], arguments[2]);
    broker_close(connection);
}

void queue_delete(int count, char **arguments) {
    if (count < 2) die("queue-delete URL NAME…");
    amqp_connection_state_t connection = broker_connect(arguments[0]);
    for (int index = 1; index < count; index++) {
        amqp_queue_delete(connection, broker_channel, amqp_cstring_bytes(arguments[index]), 0, 0);
        broker_check(connection, "deleting a queue");
    }
    broker_close(connection);
}

void subscriber_declare(int count, char **arguments) {
    if (count < 2 || count > 3) die("subscriber-declare URL NAME [TYPE]");
    amqp_connection_state_t connection = broker_connect(arguments[0]);
    broker_declare_subscriber(connection, arguments[1], count == 3 ? arguments[2] : NULL);
    broker_close(connection);
}

void publish(int count, char **arguments) {
    if (count != 5) die("publish URL QUEUE COUNT WINDOW SIZE");
    const char *queue = arguments[1];
    uint64_t total = strtoull(arguments[2], NULL, 10);
    uint64_t window = strtoull(arguments[3], NULL, 10);
    size_t size = strtoull(arguments[4], NULL, 10);
    amqp_connection_state_t connection = broker_connect(arguments[0]);
    broker_select_confirms(connection);
    char *body = malloc(size);
    memset(body, 'x', size);
    amqp_bytes_t bytes = {.len = size, .bytes = body};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG,
        .delivery_mode = 2,
        .content_type = amqp_cstring_bytes("application/octet-stream"),
    };
    amqp_bytes_t routing_key = amqp_cstring_bytes(queue);
    ready_and_wait();

    uint8_t *settled = calloc(total + 1, 1);
    int64_t began = monotonic_ns(), cpu = cpu_ns();
    // Confirms of single messages may overtake one another; `first` is the oldest one without.
    uint64_t sent = 0, confirmed = 0, first = 1;
    while (confirmed < total) {
        while (sent < total && sent - confirmed < window) {
            char id[32];
            int length = snprintf(id, sizeof id, "%llu", (unsigned long long)sent);
            properties.message_id = (amqp_bytes_t){.len = (size_t)length, .bytes = id};
            int status = amqp_basic_publish(
                connection, broker_channel, amqp_empty_bytes, routing_key, 1, 0, &properties, bytes);
            if (status != AMQP_STATUS_OK) die("publishing: %s", amqp_error_string2(status));
            sent++;
        }
        struct broker_confirm confirm;
        int64_t wait = -1;
        while (confirmed < sent && broker_next_confirm(connection, wait, &confirm)) {
            if (confirm.number > sent) die("the broker confirmed what was not sent");
            for (uint64_t number = confirm.multiple ? first : confirm.number; number <= confirm.number; number++) {
                confirmed += !settled[number];
                settled[number] = 1;
            }
            while (first <= sent && settled[first]) first++;
            wait = 0;
        }
    }
    result("seconds", (double)(monotonic_ns() - began) / 1e9);
    result("cpu", (double)(cpu_ns() - cpu) / 1e9);
    broker_close(connection);
}

void consume(int count, char **arguments) {
    if (count != 4) die("consume URL QUEUE COUNT PREFETCH");
    uint64_t total = strtoull(arguments[2], NULL, 10);
    int prefetch = atoi(arguments[3]);
    amqp_connection_state_t connection = broker_connect(arguments[0]);
    ready_and_wait();

    broker_consume(connection, arguments[1], prefetch);
    uint64_t received = 0, unacked = 0, tag = 0, bytes = 0;
    uint64_t most = prefetch > 1 ? (uint64_t)prefetch / 2 : 1;
    int64_t began = 0, cpu = 0;
    while (received < total) {
        amqp_envelope_t delivery;
        if (unacked > 0 && (unacked >= most || !broker_next_delivery(connection, 0, &delivery))) {
            broker_ack(connection, tag);
            unacked = 0;
            continue;
        }
        if (unacked == 0) broker_next_delivery(connection, -1, &delivery);
        if (received == 0) {
            began = monotonic_ns();
            cpu = cpu_ns();
        }
        received++;
        unacked++;
        tag = delivery.delivery_tag;
        bytes += delivery.message.body.len;
        amqp_destroy_envelope(&delivery);
    }
    result("seconds", (double)(monotonic_ns() - began) / 1e9);
    result("cpu", (double)(cpu_ns() - cpu) / 1e9);
    result("bytes", (double)bytes);
    if (unacked > 0) broker_ack(connection, tag);
    broker_close(connection);
}

void idle(int count, char **arguments) {
    if (count != 4) die("idle URL QUEUE CONNECTIONS SECONDS");
    int connections = atoi(arguments[2]);
    double seconds = atof(arguments[3]);
    long before = resident_kib();
    amqp_connection_state_t *all = calloc((size_t)connections, sizeof *all);
    for (int index = 0; index < connections; index++) {
        all[index] = broker_connect(arguments[0]);
        broker_consume(all[index], arguments[1], 250);
    }
    ready_and_wait();
    int64_t cpu = cpu_ns(), end = monotonic_ns() + (int64_t)(seconds * 1e9);
    // Heartbeats are served inside calls: each connection is looked at every 2.5 seconds, as the Swift client does.
    for (int64_t now = monotonic_ns(); now < end; now = monotonic_ns()) {
        sleep_until_ns(now + 2500000000 < end ? now + 2500000000 : end);
        for (int index = 0; index < connections; index++) {
            amqp_envelope_t delivery;
            if (broker_next_delivery(all[index], 0, &delivery)) amqp_destroy_envelope(&delivery);
        }
    }
    result("cpu", (double)(cpu_ns() - cpu) / 1e9);
    result("resident", (double)(resident_kib() - before));
    for (int index = 0; index < connections; index++) broker_close(all[index]);
}
