// Clients that speak WebSocket: upgrade, greeting, and the counting of what they get.
#pragma once

#include "fleet.h"
#include "frame.h"
#include "histogram.h"
#include "options.h"
#include "text.h"

#define REQUEST_SIZE 8192
#define CLOSED_WITHOUT_REASON 1005

struct counts {
    uint64_t began;       // of the step; only messages stamped from then on are counted
    uint64_t deliveries;
    uint64_t last;        // when the last one came
    uint64_t notices;     // what the server said instead of a message: errors, above all
    uint8_t notice[200];  // the first of them
    size_t notice_size;
    struct histogram latency;
};

static struct counts counts = {.began = UINT64_MAX};
static struct options options;
static char **tokens;

// What Chromium sends beside the upgrade itself; deflate is offered because every browser does.
static const char *const BROWSER_HEADERS =
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

static void send_frame(struct fleet *fleet, struct client *client, int opcode,
                       const void *payload, size_t size) {
    uint8_t frame[FRAME_HEAD_MAX + 65536];
    if (size > 65536) fatal("a frame of %zu bytes is not sent by this load", size);
    client_send(fleet, client, frame, frame_encode(frame, opcode, payload, size));
}

static void upgrade(struct fleet *fleet, struct client *client) {
    char request[REQUEST_SIZE], authority[64];
    snprintf(authority, sizeof authority, "%s:%d", options.host, options.port);
    // The key is the RFC's example: the load trusts the server to be a WebSocket server.
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                        options.path, authority);
    const char *token = tokens[client->number];
#define ADD(...) size += snprintf(request + size, sizeof request - (size_t)size, __VA_ARGS__)
    if (options.browser) ADD("Origin: http://%s\r\n%s", authority, BROWSER_HEADERS);
    if (options.protocol) ADD("Sec-WebSocket-Protocol: %s\r\n", options.protocol);
    if (token) ADD("Authorization: Bearer %s\r\n", token);
    ADD("\r\n");
#undef ADD
    client->state = UPGRADING;
    client_send(fleet, client, request, (size_t)size);
}

static void client_ready(struct fleet *fleet, struct client *client) {
    client->state = READY;
    fleet->ready++;
}

static size_t feed_upgrade(struct fleet *fleet, struct client *client, const uint8_t *bytes,
                           size_t size) {
    const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (size < 12 || memcmp(bytes, "HTTP/1.1 101", 12))
        fatal("connection %u was not upgraded: %.*s", client->number,
              (int)(size < 300 ? size : 300), (const char *)bytes);
    client->state = GREETING;
    if (options.hello) send_frame(fleet, client, OP_TEXT, options.hello, strlen(options.hello));
    if (!options.welcome) client_ready(fleet, client);
    return (size_t)(end - bytes) + 4;
}

static void greet(struct fleet *fleet, struct client *client, const struct frame *frame) {
    const char *payload = (const char *)frame->payload;
    // A compressed welcome cannot be looked into; the first frame then has to be it.
    if (frame->compressed ||
        memmem(payload, frame->size, options.welcome, strlen(options.welcome)))
        client_ready(fleet, client);
    else if (memmem(payload, frame->size, "\"error\"", 7))
        fatal("connection %u was refused: %.*s", client->number, (int)frame->size, payload);
}

// Not every notice is an error (people come and go), but when something is lost one tells why.
static void note(const struct frame *frame) {
    bool notice = memmem(frame->payload, frame->size, "\"error\"", 7) ||
                  (frame->size > 2 && !memcmp(frame->payload, "* ", 2));
    if (!notice || counts.notices++) return;
    counts.notice_size = frame->size < sizeof counts.notice ? frame->size : sizeof counts.notice;
    memcpy(counts.notice, frame->payload, counts.notice_size);
}

// One frame may carry several messages (a server may join lines), hence every mark in it.
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

// Joined before it is looked at: a mark could lie across the cut.
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
