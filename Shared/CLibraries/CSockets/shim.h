// What Swift needs of Linux to wait for many sockets at once: Glibc's module leaves epoll and eventfd out, and `accept4` is
// declared for GNU sources alone. Only the module HTTP imports this; there is nothing to link.
#pragma once

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);

/// What happened to a descriptor; `struct epoll_event` is packed and holds a union, which Swift handles badly.
struct warren_event {
    /// What the descriptor was watched with.
    uint64_t token;
    /// EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR.
    uint32_t events;
};

/// An epoll descriptor, or -1.
static inline int warren_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

/// A non-blocking eventfd, or -1.
static inline int warren_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

/// Watches a descriptor (`EPOLL_CTL_ADD`), or changes what it is watched for (`EPOLL_CTL_MOD`); 0, or -1.
static inline int warren_epoll_watch(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(epoll, operation, descriptor, &event);
}

/// Waits, and fills `found` with at most 256 events; their number, or -1.
static inline int warren_epoll_wait(int epoll, struct warren_event *found, int count, int milliseconds) {
    struct epoll_event events[256];
    int ready = epoll_wait(epoll, events, count < 256 ? count : 256, milliseconds);
    for (int index = 0; index < ready; index++) {
        found[index].token = events[index].data.u64;
        found[index].events = events[index].events;
    }
    return ready;
}

/// The family of an address. Which module declares this member of `sockaddr` to Swift depends on how it is compiled.
static inline int warren_address_family(const struct sockaddr *address) { return address->sa_family; }
