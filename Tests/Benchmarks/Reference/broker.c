#include "broker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "support.h"

void broker_check(amqp_connection_state_t connection, const char *what) {
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        amqp_channel_close_t *close = reply.reply.decoded;
        die("%s: %.*s", what, (int)close->reply_text.len, (char *)close->reply_text.bytes);
    }
    die("%s: %s", what, amqp_error_string2(reply.library_error));
}

amqp_connection_state_t broker_connect(const char *url) {
    char *copy = strdup(url);
    struct amqp_connection_info info;
    if (!copy || amqp_parse_url(copy, &info) != AMQP_STATUS_OK) die("not an AMQP URI: %s", url);
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK) die("cannot connect to the broker");
    const char *host = info.vhost[0] ? info.vhost : "/";
    amqp_rpc_reply_t reply =
        amqp_login(connection, host, 0, 131072, 10, AMQP_SASL_METHOD_PLAIN, info.user, info.password);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) die("the broker refuses the login");
    amqp_channel_open(connection, broker_channel);
    broker_check(connection, "opening a channel");
    free(copy);
    return connection;
}

void broker_close(amqp_connection_state_t connection) {
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(connection);
}

static amqp_table_entry_t text_entry(const char *name, const char *value) {
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);
    return entry;
}

static void declare(amqp_connection_state_t connection, const char *name, amqp_table_entry_t *entries, int count) {
    amqp_table_t arguments = {.num_entries = count, .entries = entries};
    amqp_queue_declare(connection, broker_channel, amqp_cstring_bytes(name), 0, 1, 0, 0, arguments);
    broker_check(connection, "declaring a queue");
}

void broker_declare_queue(amqp_connection_state_t connection, const char *name, const char *type) {
    amqp_table_entry_t entries[] = {text_entry("x-queue-type", type)};
    declare(connection, name, entries, 1);
}

static void declare_exchange(amqp_connection_state_t connection, const char *name, const char *type) {
    amqp_exchange_declare(
        connection, broker_channel, amqp_cstring_bytes(name), amqp_cstring_bytes(type), 0, 1, 0, 0, amqp_empty_table);
    broker_check(connection, "declaring an exchange");
}

static void bind_queue(amqp_connection_state_t connection, const char *queue, const char *exchange, const char *key) {
    amqp_queue_bind(
        connection, broker_channel, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange), amqp_cstring_bytes(key),
        amqp_empty_table);
    broker_check(connection, "binding a queue");
}

void broker_declare_subscriber(amqp_connection_state_t connection, const char *name, const char *event_type) {
    char net[256];
    strcpy(net, name);
    strcat(net, ".dead-letters");
    declare_exchange(connection, "warren.events", "topic");
    declare_exchange(connection, "warren.dead-letters", "direct");
    broker_declare_queue(connection, net, "quorum");
    bind_queue(connection, net, "warren.dead-letters", name);
    amqp_table_entry_t limit = {.key = amqp_cstring_bytes("x-delivery-limit")};
    limit.value.kind = AMQP_FIELD_KIND_I32;
    limit.value.value.i32 = 20;
    amqp_table_entry_t alone = {.key = amqp_cstring_bytes("x-single-active-consumer")};
    alone.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    alone.value.value.boolean = 1;
    amqp_table_entry_t lost = {.key = amqp_cstring_bytes("x-consumer-disconnected-timeout")};
    lost.value.kind = AMQP_FIELD_KIND_I32;
    lost.value.value.i32 = 2000;
    amqp_table_entry_t entries[] = {
        text_entry("x-queue-type", "quorum"),
        text_entry("x-dead-letter-exchange", "warren.dead-letters"),
        text_entry("x-dead-letter-routing-key", name),
        text_entry("x-overflow", "reject-publish"),
        limit,
        text_entry("x-dead-letter-strategy", "at-least-once"),
        alone,
        lost,
    };
    declare(connection, name, entries, sizeof entries / sizeof entries[0]);
    if (event_type) bind_queue(connection, name, "warren.events", event_type);
}

void broker_select_confirms(amqp_connection_state_t connection) {
    amqp_confirm_select(connection, broker_channel);
    broker_check(connection, "selecting confirms");
}

void broker_consume(amqp_connection_state_t connection, const char *queue, int prefetch) {
    amqp_basic_qos(connection, broker_channel, 0, (uint16_t)prefetch, 0);
    broker_check(connection, "setting the prefetch");
    amqp_basic_consume(
        connection, broker_channel, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    broker_check(connection, "consuming");
}

bool broker_next_confirm(amqp_connection_state_t connection, int64_t timeout_us, struct broker_confirm *confirm) {
    for (;;) {
        struct timeval limit = {.tv_sec = timeout_us / 1000000, .tv_usec = timeout_us % 1000000};
        amqp_frame_t frame;
        int status = amqp_simple_wait_frame_noblock(connection, &frame, timeout_us < 0 ? NULL : &limit);
        if (status == AMQP_STATUS_TIMEOUT) {
            amqp_maybe_release_buffers(connection);
            return false;
        }
        if (status != AMQP_STATUS_OK) die("waiting for confirms: %s", amqp_error_string2(status));
        if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
            die("the broker did not confirm a message");
        }
        amqp_basic_ack_t *ack = frame.payload.method.decoded;
        confirm->number = ack->delivery_tag;
        confirm->multiple = ack->multiple;
        amqp_maybe_release_buffers_on_channel(connection, broker_channel);
        return true;
    }
}

bool broker_next_delivery(amqp_connection_state_t connection, int64_t timeout_us, amqp_envelope_t *delivery) {
    struct timeval limit = {.tv_sec = timeout_us / 1000000, .tv_usec = timeout_us % 1000000};
    amqp_maybe_release_buffers(connection);
    amqp_rpc_reply_t reply = amqp_consume_message(connection, delivery, timeout_us < 0 ? NULL : &limit, 0);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return true;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) return false;
    die("consuming: %s", amqp_error_string2(reply.library_error));
}

void broker_ack(amqp_connection_state_t connection, uint64_t tag) {
    int status = amqp_basic_ack(connection, broker_channel, tag, 1);
    if (status != AMQP_STATUS_OK) die("acknowledging: %s", amqp_error_string2(status));
}
