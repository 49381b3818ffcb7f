// A connection over librabbitmq with one channel, as the reference programs use it.
#ifndef REFERENCE_BROKER_H
#define REFERENCE_BROKER_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#endif

#include <stdbool.h>
#include <stdint.h>

enum { broker_channel = 1 };

/// Connects and opens the channel.
amqp_connection_state_t broker_connect(const char *url);
/// Ends the connection in order.
void broker_close(amqp_connection_state_t connection);
/// Ends the program when the last call was refused.
void broker_check(amqp_connection_state_t connection, const char *what);

/// Declares a durable queue, `quorum` or `classic`.
void broker_declare_queue(amqp_connection_state_t connection, const char *name, const char *type);
/// Declares what the kit declares for a subscriber: both exchanges, its queue and its net, and one binding (NULL: none).
void broker_declare_subscriber(amqp_connection_state_t connection, const char *name, const char *event_type);

/// Has the broker confirm what is published.
void broker_select_confirms(amqp_connection_state_t connection);
/// Starts a consumer with manual acks.
void broker_consume(amqp_connection_state_t connection, const char *queue, int prefetch);

/// What the broker said about publications: everything up to a number, or one of them.
struct broker_confirm {
    uint64_t number;
    bool multiple;
};

/// Takes the next confirm; false when none came within `timeout_us` microseconds (negative: waits for ever).
///
/// A nack, a return or a closed channel ends the program.
bool broker_next_confirm(amqp_connection_state_t connection, int64_t timeout_us, struct broker_confirm *confirm);

/// Takes the next delivery; false when none came within `timeout_us` (negative: waits for ever). To be destroyed by
/// `amqp_destroy_envelope`.
bool broker_next_delivery(amqp_connection_state_t connection, int64_t timeout_us, amqp_envelope_t *delivery);

/// Acknowledges everything up to a delivery.
void broker_ack(amqp_connection_state_t connection, uint64_t tag);

#endif
