// What Swift needs of libmicrohttpd (0.9.75 or later). Only the module HTTP imports this.
#pragma once

#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/// What is called with the undecoded request target before the request's headers are parsed; its result becomes the
/// request's context.
typedef void *(*warren_mhd_target_callback)(void *context, const char *target, struct MHD_Connection *connection);

/// What a daemon is started with.
struct warren_mhd_settings {
    /// A bound, listening, non-blocking socket.
    int listen_socket;
    /// Bytes of the memory pool of a connection; headers of a request and of its answer must fit in.
    size_t connection_memory;
    /// The most connections at a time.
    unsigned int connections;
    /// The most connections at a time from one address.
    unsigned int connections_per_peer;
    /// Seconds without activity after which a connection is closed.
    unsigned int idle_seconds;
    /// Passed to each callback as its first argument.
    void *context;
    warren_mhd_target_callback on_target;
    MHD_AccessHandlerCallback on_request;
    MHD_RequestCompletedCallback on_completed;
    MHD_NotifyConnectionCallback on_connection;
};

/// Starts a daemon with one polling thread (epoll) that can suspend and resume connections. `MHD_start_daemon` is
/// variadic, which Swift cannot call. NULL when it could not start.
static inline struct MHD_Daemon *warren_mhd_start(const struct warren_mhd_settings *settings) {
    return MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL,
        settings->on_request, settings->context,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)settings->listen_socket,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, settings->connection_memory,
        MHD_OPTION_CONNECTION_LIMIT, settings->connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, settings->connections_per_peer,
        MHD_OPTION_CONNECTION_TIMEOUT, settings->idle_seconds,
        MHD_OPTION_STRICT_FOR_CLIENT, (int)1,
        MHD_OPTION_URI_LOG_CALLBACK, settings->on_target, settings->context,
        MHD_OPTION_NOTIFY_COMPLETED, settings->on_completed, settings->context,
        MHD_OPTION_NOTIFY_CONNECTION, settings->on_connection, settings->context,
        MHD_OPTION_END);
}

/// The address of the peer, or NULL. `MHD_get_connection_info` is variadic.
static inline const struct sockaddr *warren_mhd_peer(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info == NULL ? NULL : info->client_addr;
}

/// The connection's socket, or -1.
static inline int warren_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

/// The size of the request's line and headers in bytes, once they have been read.
static inline size_t warren_mhd_header_size(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info == NULL ? 0 : info->header_size;
}

/// The family of an address. Which module declares this member of `sockaddr` to Swift depends on how it is compiled.
static inline int warren_address_family(const struct sockaddr *address) { return address->sa_family; }
