// The upgrade from HTTP to WebSocket, and frames of clients.
#pragma once

#include "fleet.h"
#include "frame.h"

#define REQUEST_SIZE 8192

struct upgrade {
    const char *host, *path, *protocol, *token;
    int port;
    bool browser;
};

// The headers that Chromium sends; deflate is offered, as all browsers do.
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

static void upgrade_send(struct fleet *fleet, struct client *client, const struct upgrade *asked) {
    char request[REQUEST_SIZE], authority[64];
    snprintf(authority, sizeof authority, "%s:%d", asked->host, asked->port);
    // The key is the RFC's example, as the load does not check the server's answer to it.
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                        asked->path, authority);
#define ADD(...) size += snprintf(request + size, sizeof request - (size_t)size, __VA_ARGS__)
    if (asked->browser) ADD("Origin: http://%s\r\n%s", authority, BROWSER_HEADERS);
    if (asked->protocol) ADD("Sec-WebSocket-Protocol: %s\r\n", asked->protocol);
    if (asked->token) ADD("Authorization: Bearer %s\r\n", asked->token);
    ADD("\r\n");
#undef ADD
    client->state = UPGRADING;
    client_send(fleet, client, request, (size_t)size);
}

// The size of the response head, 0 if it is incomplete.
static size_t upgrade_head(const struct client *client, const uint8_t *bytes, size_t size) {
    const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (size < 12 || memcmp(bytes, "HTTP/1.1 101", 12))
        fatal("connection %u was not upgraded: %.*s", client->number,
              (int)(size < 300 ? size : 300), (const char *)bytes);
    return (size_t)(end - bytes) + 4;
}

static void client_ready(struct fleet *fleet, struct client *client) {
    client->state = READY;
    fleet->ready++;
}
