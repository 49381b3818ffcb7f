// What Swift needs of librabbitmq (0.11 or later). Only the module AMQP imports this.
#pragma once

// 0.12 moved the headers into a folder and left the old names as deprecated aliases.
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

// The method numbers are macros with a cast, which Swift does not import.
static const uint32_t warren_method_basic_ack = AMQP_BASIC_ACK_METHOD;
static const uint32_t warren_method_basic_nack = AMQP_BASIC_NACK_METHOD;
static const uint32_t warren_method_basic_return = AMQP_BASIC_RETURN_METHOD;
static const uint32_t warren_method_basic_deliver = AMQP_BASIC_DELIVER_METHOD;
static const uint32_t warren_method_basic_cancel = AMQP_BASIC_CANCEL_METHOD;
static const uint32_t warren_method_channel_close = AMQP_CHANNEL_CLOSE_METHOD;
static const uint32_t warren_method_channel_flow = AMQP_CHANNEL_FLOW_METHOD;
static const uint32_t warren_method_connection_close = AMQP_CONNECTION_CLOSE_METHOD;
static const uint32_t warren_method_connection_close_ok = AMQP_CONNECTION_CLOSE_OK_METHOD;
static const uint32_t warren_method_connection_blocked = AMQP_CONNECTION_BLOCKED_METHOD;
static const uint32_t warren_method_connection_unblocked = AMQP_CONNECTION_UNBLOCKED_METHOD;

/// `amqp_login_with_properties` for SASL PLAIN; the original takes variable arguments, which Swift does not import.
static inline amqp_rpc_reply_t warren_login_plain(
    amqp_connection_state_t state, const char *vhost, int frame_max, int heartbeat, const amqp_table_t *properties,
    const char *user, const char *password) {
    return amqp_login_with_properties(
        state, vhost, 1, frame_max, heartbeat, properties, AMQP_SASL_METHOD_PLAIN, user, password);
}

/// `amqp_login_with_properties` for SASL EXTERNAL: the client certificate is the identity.
static inline amqp_rpc_reply_t warren_login_external(
    amqp_connection_state_t state, const char *vhost, int frame_max, int heartbeat, const amqp_table_t *properties,
    const char *identity) {
    return amqp_login_with_properties(
        state, vhost, 1, frame_max, heartbeat, properties, AMQP_SASL_METHOD_EXTERNAL, identity);
}

/// Names the calling thread in `ps -L` and debuggers, at most 15 bytes; glibc declares it for GNU sources only.
static inline void warren_name_thread(const char *name) {
    extern int pthread_setname_np(pthread_t, const char *);
    pthread_setname_np(pthread_self(), name);
}

/// Blocks every asynchronous signal in the calling thread, so that the process's own handlers take them elsewhere and a
/// write to a closed connection raises none.
static inline void warren_block_signals(void) {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGTRAP);
    pthread_sigmask(SIG_SETMASK, &all, 0);
}
