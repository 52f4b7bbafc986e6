// The flooder: sends the same bytes repeatedly on many connections, and reconnects whenever it is
// disconnected. It does not parse the bytes, so that it costs far less CPU than a server.
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flood/options.h"

#define CHUNK (64u * 1024)       // of one send, so that all connections take turns
#define DISCARD (1u << 20)       // of one read, which copies nothing
#define CONNECTS_AT_ONCE 100     // in one turn of the loop
#define TICK_MS 5
#define DEAF_BUFFER 4096
#define NICER_BY 10              // lower priority than the measuring process

enum state { AWAY, CONNECTING, OPENING, UPGRADING, PRELUDE, PAYLOAD, STAYING };

struct connection {
    int fd;
    enum state state;
    unsigned number, rounds;
    size_t sent;       // of what this state sends
    uint64_t due;      // when the next piece is sent, if there are pauses
    uint32_t watched;
};

static struct options options;
static int epoll;
static struct connection *connections;
static uint64_t connects, closed, refused, failed, rounds, bytes_out, bytes_in;

static void watch(struct connection *c, bool wants_to_write) {
    // A connection that does not read still notices the end.
    uint32_t events = EPOLLRDHUP;
    if (!options.deaf || c->state == UPGRADING) events |= EPOLLIN;
    if (wants_to_write) events |= EPOLLOUT;
    if (events == c->watched) return;
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event))
        fatal("epoll_ctl: %m");
    c->watched = events;
}

static void leave(struct connection *c) {
    close(c->fd);
    c->state = AWAY;
}

static struct text text_of(const struct connection *c) {
    if (c->state == OPENING)
        return options.openings ? options.opening[c->number % options.openings] : (struct text){0};
    return c->state == PRELUDE ? options.prelude : options.payload;
}

// Goes to the next state once this state's bytes have been sent.
static void advance(struct connection *c) {
    while (c->state >= OPENING && c->state != UPGRADING && c->state != STAYING &&
           c->sent == text_of(c).size) {
        c->sent = 0;
        if (c->state == OPENING) {
            c->state = options.upgrade ? UPGRADING : PRELUDE;
        } else if (c->state == PRELUDE) {
            c->state = options.payload.size ? PAYLOAD : STAYING;
        } else {
            rounds++;
            if (!options.times || ++c->rounds < options.times) break;
            if (options.close) {
                leave(c);
                return;
            }
            c->state = STAYING;
        }
    }
    if (c->state == STAYING && options.close && !options.payload.size) leave(c);
}

static void send_more(struct connection *c, uint64_t now) {
    advance(c);
    if (c->state == AWAY) return;
    if (c->state == UPGRADING || c->state == STAYING) {
        watch(c, false);
        return;
    }
    bool paced = c->state == PAYLOAD && options.pause_ms > 0;
    if (paced && now < c->due) return;
    struct text text = text_of(c);
    size_t size = text.size - c->sent;
    size_t most = c->state == PAYLOAD && options.piece ? options.piece : CHUNK;
    ssize_t taken = send(c->fd, text.data + c->sent, size < most ? size : most, MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) {
        closed++;
        leave(c);
        return;
    }
    if (taken > 0) {
        c->sent += (size_t)taken;
        bytes_out += (uint64_t)taken;
    }
    if (paced) c->due = now + (uint64_t)(options.pause_ms * 1e6);
    advance(c);
    if (c->state == AWAY) return;
    paced = c->state == PAYLOAD && options.pause_ms > 0;
    watch(c, c->state != UPGRADING && c->state != STAYING && !paced);
}

static void read_on(struct connection *c, uint64_t now) {
    char answer[4096];
    bool awaited = c->state == UPGRADING;
    // For TCP, MSG_TRUNC discards the data.
    ssize_t size = awaited ? recv(c->fd, answer, sizeof answer, 0)
                           : recv(c->fd, NULL, DISCARD, MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
        closed++;
        leave(c);
        return;
    }
    bytes_in += (uint64_t)size;
    if (!awaited) return;
    if (size < 12 || memcmp(answer + 9, "101", 3)) {
        refused++;
        leave(c);
        return;
    }
    c->state = PRELUDE;
    c->sent = 0;
    send_more(c, now);
}

static void come(struct connection *c, int port) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fatal("socket: %m (is the limit of open files high enough?)");
    int one = 1, small = DEAF_BUFFER;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (options.deaf) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    char address[32];
    snprintf(address, sizeof address, "%s.%u", options.source, 1 + c->number % options.sources);
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (inet_pton(AF_INET, address, &from.sin_addr) != 1) fatal("%s is no address", address);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) fatal("bind to %s: %m", address);
    c->state = CONNECTING;
    c->rounds = 0;
    c->sent = 0;
    c->due = 0;
    c->watched = 0;
    connects++;
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
        failed++;
        leave(c);
        return;
    }
    watch(c, true);
}

static void happened(struct connection *c, uint32_t events, uint64_t now) {
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            failed++;
            leave(c);
            return;
        }
        c->state = OPENING;
    }
    if (events & EPOLLIN) read_on(c, now);
    else if (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) {
        closed++;
        leave(c);
    }
    if (c->state != AWAY && events & EPOLLOUT) send_more(c, now);
}

// The first connections are opened at once; disconnected ones reconnect at a bounded rate.
static void come_back(uint64_t now) {
    static double may;
    static uint64_t then;
    if (!then) may = options.sockets;
    else may += (double)(now - then) / 1e9 * options.reconnects;
    then = now;
    double most = options.sockets > connects ? options.sockets : options.reconnects / 10 + 1;
    if (may > most) may = most;
    unsigned begun = 0;
    for (unsigned i = 0; i < options.sockets && may >= 1 && begun < CONNECTS_AT_ONCE; i++) {
        if (connections[i].state != AWAY) continue;
        come(&connections[i], options.port);
        may--;
        begun++;
    }
}

int main(int argc, char **argv) {
    options = options_read(argc, argv);
    // The flood ends when its parent process ends.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1);
    (void)!nice(NICER_BY);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(options.sockets, sizeof *connections);
    if (epoll < 0 || !connections) fatal("cannot start: %m");
    for (unsigned i = 0; i < options.sockets; i++) connections[i].number = i;
    uint64_t now = now_ns(), end = now + (uint64_t)(options.seconds * 1e9);
    while (now < end) {
        come_back(now);
        struct epoll_event events[256];
        int count = epoll_wait(epoll, events, 256, TICK_MS);
        now = now_ns();
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->state != AWAY) happened(c, events[i].events, now);
        }
        if (options.pause_ms > 0)
            for (unsigned i = 0; i < options.sockets; i++)
                if (connections[i].state == PAYLOAD) send_more(&connections[i], now);
    }
    unsigned open = 0;
    for (unsigned i = 0; i < options.sockets; i++) open += connections[i].state > CONNECTING;
    printf("{\"connects\":%llu,\"closed\":%llu,\"refused\":%llu,\"failed\":%llu,\"open\":%u,"
           "\"rounds\":%llu,\"bytes_out\":%llu,\"bytes_in\":%llu,\"cpu_s\":%.3f}\n",
           (unsigned long long)connects, (unsigned long long)closed, (unsigned long long)refused,
           (unsigned long long)failed, open, (unsigned long long)rounds,
           (unsigned long long)bytes_out, (unsigned long long)bytes_in, own_cpu_s());
    return fflush(stdout) != 0;
}
