// The part of WebSocket framing (RFC 6455, section 5) that a load generator needs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "clock.h"

#define FRAME_HEAD_MAX 14

enum { OP_CONTINUATION = 0, OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

struct frame {
    int opcode;
    bool final;       // false: the message continues in the next frame
    bool compressed;
    const uint8_t *payload;
    size_t size;   // of the payload
    size_t whole;  // of the frame, head included
};

// False when the bytes do not hold a whole frame yet.
static inline bool frame_decode(const uint8_t *bytes, size_t count, struct frame *frame) {
    if (count < 2) return false;
    size_t head = 2, size = bytes[1] & 0x7f;
    if (bytes[1] & 0x80) fatal("the server masked a frame");
    if (size == 126) {
        if (count < 4) return false;
        size = (size_t)bytes[2] << 8 | bytes[3];
        head = 4;
    } else if (size == 127) {
        if (count < 10) return false;
        size = 0;
        for (int i = 2; i < 10; i++) size = size << 8 | bytes[i];
        head = 10;
    }
    if (count - head < size) return false;
    frame->opcode = bytes[0] & 0x0f;
    frame->final = bytes[0] & 0x80;
    frame->compressed = bytes[0] & 0x40;
    frame->payload = bytes + head;
    frame->size = size;
    frame->whole = head + size;
    return true;
}

// Real clients mask with a random key. A fixed one costs a server the same work, but not zeroes:
// a server that forgot to unmask would read the text.
static inline uint32_t frame_mask(void) {
    static uint64_t state = 0x9e3779b97f4a7c15ull;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

// Writes one whole client frame; `out` has room for FRAME_HEAD_MAX more than the payload.
static inline size_t frame_encode(uint8_t *out, int opcode, const void *payload, size_t size) {
    size_t head = 2;
    out[0] = (uint8_t)(0x80 | opcode);
    if (size < 126) {
        out[1] = (uint8_t)(0x80 | size);
    } else if (size < 65536) {
        out[1] = 0x80 | 126;
        out[2] = (uint8_t)(size >> 8);
        out[3] = (uint8_t)size;
        head = 4;
    } else {
        out[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++) out[2 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
        head = 10;
    }
    uint32_t mask = frame_mask();
    memcpy(out + head, &mask, 4);
    head += 4;
    const uint8_t *from = payload, *key = out + head - 4;
    for (size_t i = 0; i < size; i++) out[head + i] = from[i] ^ key[i & 3];
    return head + size;
}
