// Post: one pending HTTP request on each of K keep-alive connections (closed loop).
#pragma once

#include <strings.h>

#include "report.h"
#include "websocket.h"

static struct {
    uint64_t end, sent, done, refused, last;
    int first_refusal;  // its status
    struct histogram latency;
} posting;

static void post(struct fleet *fleet, struct client *client) {
    static char text[65536], body[65536 + 4096], request[sizeof body + REQUEST_SIZE];
    uint64_t at = now_ns();
    text_make(text, options.size, at);
    size_t size = template_expand(body, sizeof body, options.template, text, options.size,
                                  posting.sent);
    const char *token = tokens[client->number];
    int head = snprintf(request, REQUEST_SIZE,
                        "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n"
                        "%s%s%sContent-Length: %zu\r\n\r\n",
                        options.path, options.host, options.port,
                        token ? "Authorization: Bearer " : "", token ? token : "",
                        token ? "\r\n" : "", size);
    memcpy(request + head, body, size);
    client->asked_at = at;
    posting.sent++;
    client_send(fleet, client, request, (size_t)head + size);
}

static void post_connected(struct fleet *fleet, struct client *client) {
    client->state = READY;
    fleet->ready++;
}

// The Content-Length.
static size_t content_length(const char *head, size_t size) {
    static const char NAME[] = "\r\nContent-Length:";
    for (size_t i = 0; i + sizeof NAME < size; i++)
        if (!strncasecmp(head + i, NAME, sizeof NAME - 1))
            return strtoul(head + i + sizeof NAME - 1, NULL, 10);
    fatal("a response without Content-Length: %.*s", (int)size, head);
}

static size_t feed_response(struct fleet *fleet, struct client *client, const uint8_t *bytes,
                            size_t size, uint64_t at) {
    const uint8_t *blank = memmem(bytes, size, "\r\n\r\n", 4);
    if (!blank) return 0;
    size_t head = (size_t)(blank - bytes) + 4;
    size_t whole = head + content_length((const char *)bytes, head);
    if (size < whole) return 0;
    int status = atoi((const char *)bytes + sizeof "HTTP/1.1");
    if (status / 100 == 2) {
        posting.done++;
        posting.last = at;
        histogram_record(&posting.latency, at - client->asked_at);
    } else if (!posting.refused++) {
        posting.first_refusal = status;
    }
    client->asked_at = 0;
    if (at < posting.end && posting.sent < options.most) post(fleet, client);
    return whole;
}

static bool under_way(const struct fleet *fleet) {
    for (unsigned i = 0; i < fleet->count; i++)
        if (fleet->clients[i].state == READY && fleet->clients[i].asked_at) return true;
    return false;
}

static void post_all(struct fleet *fleet) {
    double cpu = own_cpu_s();
    uint64_t began = now_ns();
    posting.last = began;
    posting.end = began + (uint64_t)(options.seconds * 1e9);
    for (unsigned i = 0; i < fleet->count && posting.sent < options.most; i++)
        post(fleet, &fleet->clients[i]);
    while (under_way(fleet) && now_ns() < posting.end + 5 * SECOND_NS) fleet_turn(fleet, 100);

    double took = (double)(posting.last - began) / 1e9;
    report_count("clients", fleet->count);
    report_number("seconds", took);
    report_count("sent", posting.sent);
    report_count("acknowledged", posting.done);
    report_count("refused", posting.refused);
    report_count("first_refusal", (uint64_t)posting.first_refusal);
    report_count("closed", fleet->closed);
    report_number("posts_per_s", took > 0 ? (double)posting.done / took : 0);
    report_us("p50_us", &posting.latency, 0.50);
    report_us("p99_us", &posting.latency, 0.99);
    report_us("max_us", &posting.latency, 1);
    report_number("load_cpu_s", own_cpu_s() - cpu);
    report_end();
}
