// The connections: one epoll set, one thread, no blocking call. A client can connect, upgrade,
// read and write; the mode (`feed`) interprets the bytes.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"

#define READ_SIZE (1u << 20)    // one read of one client; also the longest frame understood
#define OUTBOX_LIMIT (1u << 20) // of one client; what would not fit is not sent, and counted
#define KEEP_BYTES 4096         // a larger buffer is freed once it is empty
#define FIRST_SOURCE 0x7f000101u // 127.0.1.1
#define GLANCE_NS 50000

struct bytes {
    uint8_t *data;
    size_t size, room;
};

enum state { WAITING, CONNECTING, UPGRADING, GREETING, READY, CLOSED };

struct client {
    int fd;
    enum state state;
    bool wants_to_write;
    unsigned number;
    struct bytes rest;    // the beginning of an incomplete frame or response
    struct bytes parts;   // the fragments so far of a message sent in several frames
    struct bytes outbox;  // data that the kernel has not accepted yet
    uint64_t got;         // messages of this run received
    uint64_t stamps;      // the sum of their stamps: a lost and a repeated one do not cancel out
    uint64_t asked_at;    // HTTP: when the request under way was sent
    int status;           // HTTP: of the last response
};

struct fleet {
    int epoll, timer;
    uint64_t alarm;         // what the timer is set to, 0 when it is not
    struct sockaddr_in address;
    unsigned per_source;    // clients per address of 127.0.1.x; 0: the kernel chooses
    struct client *clients;
    unsigned count;
    unsigned begun, ready, closed;
    int close_code;         // of the first connection that was closed, 0 when without a frame
    uint64_t bytes_in;
    uint64_t bytes_in_at;   // when the last bytes came
    bool told;              // there is something to read on standard input
    // Returns the number of bytes that it has handled.
    size_t (*feed)(struct fleet *, struct client *, const uint8_t *, size_t, uint64_t at);
    void (*connected)(struct fleet *, struct client *);
};

static void bytes_append(struct bytes *bytes, const void *data, size_t size) {
    if (bytes->size + size > bytes->room) {
        bytes->room = (bytes->size + size) * 2;
        bytes->data = realloc(bytes->data, bytes->room);
        if (!bytes->data) fatal("out of memory");
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void bytes_clear(struct bytes *bytes) {
    bytes->size = 0;
    if (bytes->room <= KEEP_BYTES) return;
    free(bytes->data);
    bytes->data = NULL;
    bytes->room = 0;
}

static void client_closed(struct fleet *fleet, struct client *client, int code) {
    if (client->state == CLOSED) return;
    if (client->state < READY)
        fatal("connection %u was closed before it was ready (code %d)", client->number, code);
    if (!fleet->closed++) fleet->close_code = code;
    client->state = CLOSED;
    close(client->fd);
}

static void client_watch(struct fleet *fleet, struct client *client, int operation) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (client->wants_to_write) event.events |= EPOLLOUT;
    if (epoll_ctl(fleet->epoll, operation, client->fd, &event)) fatal("epoll_ctl: %m");
}

static void client_want_to_write(struct fleet *fleet, struct client *client, bool wanted) {
    if (client->wants_to_write == wanted) return;
    client->wants_to_write = wanted;
    client_watch(fleet, client, EPOLL_CTL_MOD);
}

// The number of bytes that the kernel accepted; 0 also if the connection is closed.
static size_t client_write(struct fleet *fleet, struct client *client, const void *data,
                           size_t size) {
    ssize_t taken = send(client->fd, data, size, MSG_NOSIGNAL);
    if (taken >= 0) return (size_t)taken;
    if (errno != EAGAIN && errno != EINTR) client_closed(fleet, client, 0);
    return 0;
}

// False if the client already has too much unsent data.
static bool client_send(struct fleet *fleet, struct client *client, const void *data,
                        size_t size) {
    if (client->outbox.size + size > OUTBOX_LIMIT) return false;
    size_t taken = client->outbox.size ? 0 : client_write(fleet, client, data, size);
    if (taken == size || client->state == CLOSED) return true;
    bytes_append(&client->outbox, (const uint8_t *)data + taken, size - taken);
    client_want_to_write(fleet, client, true);
    return true;
}

static void client_writable(struct fleet *fleet, struct client *client) {
    if (client->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) fatal("connection %u: %s", client->number, strerror(error));
        client_want_to_write(fleet, client, false);
        fleet->connected(fleet, client);
        return;
    }
    struct bytes *outbox = &client->outbox;
    size_t taken = client_write(fleet, client, outbox->data, outbox->size);
    if (client->state == CLOSED) return;
    outbox->size -= taken;
    memmove(outbox->data, outbox->data + taken, outbox->size);
    if (!outbox->size) {
        bytes_clear(outbox);
        client_want_to_write(fleet, client, false);
    }
}

static void client_readable(struct fleet *fleet, struct client *client) {
    // One buffer for all clients stays in the cache, and 5,000 idle clients cost no memory.
    static uint8_t buffer[READ_SIZE];
    size_t held = client->rest.size;
    if (held == READ_SIZE) fatal("a frame or response is longer than %u bytes", READ_SIZE);
    if (held) memcpy(buffer, client->rest.data, held);
    ssize_t count = read(client->fd, buffer + held, READ_SIZE - held);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        client_closed(fleet, client, 0);
        return;
    }
    uint64_t at = now_ns();
    fleet->bytes_in += (uint64_t)count;
    fleet->bytes_in_at = at;
    size_t size = held + (size_t)count, used = 0;
    while (used < size && client->state != CLOSED) {
        size_t fed = fleet->feed(fleet, client, buffer + used, size - used, at);
        if (!fed) break;
        used += fed;
    }
    bytes_clear(&client->rest);
    if (client->state != CLOSED && used < size)
        bytes_append(&client->rest, buffer + used, size - used);
}

// An address has 28,232 source ports for connections to one port (by default on Linux).
static void client_bind(struct client *client, unsigned source) {
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(FIRST_SOURCE + source)};
    int one = 1;
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(client->fd, (struct sockaddr *)&from, sizeof from)) fatal("bind: %m");
}

static void client_connect(struct fleet *fleet, struct client *client) {
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) fatal("socket: %m (is the limit of open files high enough?)");
    int one = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fleet->per_source) client_bind(client, client->number / fleet->per_source);
    client->state = CONNECTING;
    client->wants_to_write = true;
    if (connect(client->fd, (struct sockaddr *)&fleet->address, sizeof fleet->address) &&
        errno != EINPROGRESS)
        fatal("connect: %m");
    client_watch(fleet, client, EPOLL_CTL_ADD);
}

static struct timespec time_of(uint64_t ns) {
    return (struct timespec){.tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS)};
}

static void fleet_open(struct fleet *fleet, const char *host, int port, unsigned count) {
    fleet->address.sin_family = AF_INET;
    fleet->address.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &fleet->address.sin_addr) != 1)
        fatal("%s is not an IPv4 address", host);
    fleet->count = count;
    fleet->clients = calloc(count, sizeof *fleet->clients);
    fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
    fleet->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!fleet->clients || fleet->epoll < 0 || fleet->timer < 0) fatal("cannot start: %m");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &fleet->timer};
    if (epoll_ctl(fleet->epoll, EPOLL_CTL_ADD, fleet->timer, &event)) fatal("epoll_ctl: %m");
    for (unsigned i = 0; i < count; i++) fleet->clients[i].number = i;
}

// Handles the next events; waits for them up to `timeout_ms` (0: does not wait).
static void fleet_turn(struct fleet *fleet, int timeout_ms) {
    struct epoll_event events[512];
    int count = epoll_wait(fleet->epoll, events, 512, timeout_ms);
    for (int i = 0; i < count; i++) {
        void *subject = events[i].data.ptr;
        if (subject == &fleet->timer) {
            uint64_t times;
            (void)!read(fleet->timer, &times, sizeof times);
            fleet->alarm = 0;
            continue;
        }
        if (subject == &fleet->told) {
            fleet->told = true;
            epoll_ctl(fleet->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
            continue;
        }
        struct client *client = subject;
        if (events[i].events & EPOLLOUT) client_writable(fleet, client);
        if (client->state != CLOSED && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            client_readable(fleet, client);
    }
}

// The same, but waits until `due` at most. epoll's own timeout counts whole milliseconds,
// which at 500 messages/s would bunch messages that were to be sent evenly.
static void fleet_turn_until(struct fleet *fleet, uint64_t due) {
    if (due <= now_ns()) {
        fleet_turn(fleet, 0);
        return;
    }
    if (fleet->alarm != due) {
        struct itimerspec when = {.it_value = time_of(due)};
        timerfd_settime(fleet->timer, TFD_TIMER_ABSTIME, &when, NULL);
        fleet->alarm = due;
    }
    fleet_turn(fleet, -1);
}

// During a fan-out: polls every 50 us instead of waiting for each delivery. The server's send()
// would wake this process in epoll, which on a virtual machine costs the *server* several
// microseconds each time; real clients run on other machines.
static void fleet_glance(struct fleet *fleet, uint64_t due) {
    uint64_t until = now_ns() + GLANCE_NS;
    struct timespec when = time_of(until < due ? until : due);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
    fleet_turn(fleet, 0);
}

// Connects all clients, at most `at_once` at the same time.
static void fleet_connect(struct fleet *fleet, unsigned at_once, double timeout_s) {
    uint64_t limit = now_ns() + (uint64_t)(timeout_s * 1e9);
    while (fleet->ready < fleet->count) {
        while (fleet->begun < fleet->count && fleet->begun - fleet->ready < at_once)
            client_connect(fleet, &fleet->clients[fleet->begun++]);
        fleet_turn(fleet, 100);
        if (now_ns() > limit)
            fatal("only %u of %u connections were ready after %g s", fleet->ready, fleet->count,
                  timeout_s);
    }
}

// Serves the connections until a line comes on standard input; false at the end of input.
static bool fleet_wait_for_line(struct fleet *fleet, char *line, size_t room) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &fleet->told};
    fleet->told = false;
    // Input that epoll cannot wait for (a file, /dev/null) can be read at once.
    if (!epoll_ctl(fleet->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event)) {
        while (!fleet->told) fleet_turn(fleet, -1);
    }
    // The writer sends one line and waits for its result, so one read is one line.
    ssize_t size = read(STDIN_FILENO, line, room - 1);
    line[size > 0 ? size : 0] = 0;
    return size > 0;
}
