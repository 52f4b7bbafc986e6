// WebSocket clients: upgrade, greeting, and counting of deliveries.
#pragma once

#include "fleet.h"
#include "histogram.h"
#include "options.h"
#include "text.h"
#include "upgrade.h"

#define CLOSED_WITHOUT_REASON 1005
#define QUIET_NS (SECOND_NS * 3 / 10)
#define SETTLE_MAX_NS (10 * SECOND_NS)

struct counts {
    uint64_t began;       // of the step; only messages stamped from then on are counted
    uint64_t deliveries;
    uint64_t last;        // when the last one came
    uint64_t notices;     // frames other than messages, mostly errors
    uint8_t notice[200];  // the first of them
    size_t notice_size;
    struct histogram latency;
};

static struct counts counts = {.began = UINT64_MAX};
static struct options options;
static char **tokens;

static void upgrade(struct fleet *fleet, struct client *client) {
    struct upgrade asked = {.host = options.host, .port = options.port, .path = options.path,
                            .protocol = options.protocol, .token = tokens[client->number],
                            .browser = options.browser};
    upgrade_send(fleet, client, &asked);
}

static size_t feed_upgrade(struct fleet *fleet, struct client *client, const uint8_t *bytes,
                           size_t size) {
    size_t head = upgrade_head(client, bytes, size);
    if (!head) return 0;
    client->state = GREETING;
    if (options.hello) send_frame(fleet, client, OP_TEXT, options.hello, strlen(options.hello));
    if (!options.welcome) client_ready(fleet, client);
    return head;
}

static void greet(struct fleet *fleet, struct client *client, const struct frame *frame) {
    const char *payload = (const char *)frame->payload;
    // A compressed welcome cannot be read, so then the first frame must be it.
    if (frame->compressed ||
        memmem(payload, frame->size, options.welcome, strlen(options.welcome)))
        client_ready(fleet, client);
    else if (memmem(payload, frame->size, "\"error\"", 7))
        fatal("connection %u was refused: %.*s", client->number, (int)frame->size, payload);
}

// Not every notice is an error (people come and go), but if messages are lost one says why.
static void note(const struct frame *frame) {
    bool notice = memmem(frame->payload, frame->size, "\"error\"", 7) ||
                  (frame->size > 2 && !memcmp(frame->payload, "* ", 2));
    if (!notice || counts.notices++) return;
    counts.notice_size = frame->size < sizeof counts.notice ? frame->size : sizeof counts.notice;
    memcpy(counts.notice, frame->payload, counts.notice_size);
}

// Counts every mark in a frame, as one frame may have several messages.
static void count_messages(struct client *client, const struct frame *frame, uint64_t at) {
    const uint8_t *end = frame->payload + frame->size;
    const uint8_t *mark = mark_find(frame->payload, end);
    if (!mark && counts.began != UINT64_MAX) note(frame);
    for (; mark; mark = mark_find(mark + MARK_SIZE, end)) {
        uint64_t stamp = stamp_read(mark + 2);
        if (stamp < counts.began) continue;  // of an earlier run: history, or still on its way
        client->got++;
        client->stamps += stamp;
        counts.deliveries++;
        counts.last = at;
        histogram_record(&counts.latency, at - stamp);
    }
}

static void on_message(struct fleet *fleet, struct client *client, const struct frame *message,
                       uint64_t at) {
    if (client->state == GREETING) greet(fleet, client, message);
    else count_messages(client, message, at);
}

// Fragments are joined before they are searched, as a mark may be split between two.
static void on_fragment(struct fleet *fleet, struct client *client, const struct frame *frame,
                        uint64_t at) {
    bytes_append(&client->parts, frame->payload, frame->size);
    if (!frame->final) return;
    struct frame whole = {.payload = client->parts.data, .size = client->parts.size};
    on_message(fleet, client, &whole, at);
    bytes_clear(&client->parts);
}

static void on_frame(struct fleet *fleet, struct client *client, const struct frame *frame,
                     uint64_t at) {
    switch (frame->opcode) {
    case OP_CLOSE:
        client_closed(fleet, client, frame->size < 2 ? CLOSED_WITHOUT_REASON
                                                     : frame->payload[0] << 8 | frame->payload[1]);
        break;
    case OP_PING:
        send_frame(fleet, client, OP_PONG, frame->payload, frame->size);
        break;
    case OP_PONG:
        break;
    default:
        if (frame->final && frame->opcode != OP_CONTINUATION)
            on_message(fleet, client, frame, at);
        else on_fragment(fleet, client, frame, at);
    }
}

static size_t feed_websocket(struct fleet *fleet, struct client *client, const uint8_t *bytes,
                             size_t size, uint64_t at) {
    if (client->state == UPGRADING) return feed_upgrade(fleet, client, bytes, size);
    struct frame frame;
    if (!frame_decode(bytes, size, &frame)) return 0;
    on_frame(fleet, client, &frame, at);
    return frame.whole;
}

// Waits, up to a limit, until no more data comes, so that greetings, history and the joining of
// other clients are not measured.
static void settle(struct fleet *fleet) {
    uint64_t began = now_ns();
    fleet->bytes_in_at = began;
    while (now_ns() - fleet->bytes_in_at < QUIET_NS && now_ns() - began < SETTLE_MAX_NS)
        fleet_turn(fleet, 20);
}
