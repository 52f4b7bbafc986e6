// The load generator: one thread, epoll, no library. It has to be lighter than any server that
// it measures, exact in what it counts (no sampling, no guess at what was lost), and independent
// of them all. Everything is in this one translation unit, so that `cc load.c` is the build.
#define _GNU_SOURCE

#include <sys/prctl.h>

#include "load/chat.h"
#include "load/post.h"
#include "load/websocket.h"

// Reports how long it took until all connections had their welcome, and then keeps them open.
static void connect_only(struct fleet *fleet, double took) {
    settle(fleet);
    report_count("clients", fleet->count);
    report_number("connect_s", took);
    report_count("closed", fleet->closed);
    report_count("bytes_in", fleet->bytes_in);
    report_number("load_cpu_s", own_cpu_s());
    report_end();
    char line[2];
    while (options.hold && fleet_wait_for_line(fleet, line, sizeof line)) continue;
}

int main(int argc, char **argv) {
    options = options_read(argc, argv);
    // Timers of this process fire on time, not up to 50 us late.
    prctl(PR_SET_TIMERSLACK, 1);
    tokens = tokens_read(&options);
    bool posts = !strcmp(options.mode, "post");
    static struct fleet fleet;
    fleet.feed = posts ? feed_response : feed_websocket;
    fleet.connected = posts ? post_connected : upgrade;
    fleet_open(&fleet, options.host, options.port, options.clients);
    uint64_t began = now_ns();
    fleet_connect(&fleet, options.at_once, options.timeout_s);
    double took = (double)(now_ns() - began) / 1e9;
    if (posts) {
        post_all(&fleet);
    } else if (!strcmp(options.mode, "chat")) {
        chat(&fleet);
    } else if (!strcmp(options.mode, "connect")) {
        connect_only(&fleet, took);
    } else {
        fputs(USAGE, stderr);
        return 2;
    }
    return 0;
}
