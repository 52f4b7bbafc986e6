// The sent texts, and how a delivery is recognised.
//
// A text begins with its mark: "@T", the time at which it was made as 20 decimal digits
// (CLOCK_MONOTONIC, ns), a space. The mark is the same in all dialects, so the receiver needs no
// parser. The load generator that this one is compared with has the same mark, so that a server
// has the same work with both.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"

#define STAMP_DIGITS 20
#define MARK_SIZE (2 + STAMP_DIGITS)

// Eight ASCII digits at once: pairs, then fours, then eight, in one register (little endian).
static inline uint64_t eight_digits(const uint8_t *digits) {
    uint64_t value;
    memcpy(&value, digits, 8);
    value = (value & 0x0f0f0f0f0f0f0f0full) * 2561 >> 8;
    value = (value & 0x00ff00ff00ff00ffull) * 6553601 >> 16;
    return (value & 0x0000ffff0000ffffull) * 42949672960001ull >> 32;
}

static inline uint64_t stamp_read(const uint8_t *digits) {
    uint64_t top = 0;
    for (int i = 0; i < 4; i++) top = top * 10 + (uint64_t)(digits[i] - '0');
    return (top * 100000000 + eight_digits(digits + 4)) * 100000000 + eight_digits(digits + 12);
}

static inline void stamp_write(char *digits, uint64_t stamp) {
    for (int i = STAMP_DIGITS; i-- > 0; stamp /= 10) digits[i] = (char)('0' + stamp % 10);
}

// Finds the next mark at or after `from`; NULL when there is none.
static inline const uint8_t *mark_find(const uint8_t *from, const uint8_t *end) {
    // memchr and a check of the next byte is several times faster than a search for both bytes.
    while ((from = memchr(from, '@', (size_t)(end - from)))) {
        if (end - from >= MARK_SIZE && from[1] == 'T') return from;
        from++;
    }
    return NULL;
}

// Fills `text` with `size` bytes (at least MARK_SIZE + 1) that begin with the mark of `stamp`.
static inline void text_make(char *text, size_t size, uint64_t stamp) {
    memset(text, 'x', size);
    memcpy(text, "@T", 2);
    stamp_write(text + 2, stamp);
    text[MARK_SIZE] = ' ';
}

// Expands a template: %t the text, %n a nonce no other message has, %i a number from 2 upwards
// (1 is the hello's), %% a percent sign. Returns the size; the room is checked.
static inline size_t template_expand(char *out, size_t room, const char *template,
                                     const char *text, size_t text_size, uint64_t number) {
    static uint64_t run;  // distinguishes the nonces of this process from others
    if (!run) run = now_ns();
    size_t size = 0;
    for (const char *p = template; *p; p++) {
        if (room - size < text_size + 64) fatal("the message is longer than %zu bytes", room);
        if (*p != '%') {
            out[size++] = *p;
            continue;
        }
        switch (*++p) {
        case 't':
            memcpy(out + size, text, text_size);
            size += text_size;
            break;
        case 'n':
            size += (size_t)sprintf(out + size, "%llx-%llx", (unsigned long long)run,
                                    (unsigned long long)number);
            break;
        case 'i':
            size += (size_t)sprintf(out + size, "%llu", (unsigned long long)number + 2);
            break;
        case '%':
            out[size++] = '%';
            break;
        default:
            fatal("the template knows %%t, %%n, %%i and %%%%, not %%%c", *p ? *p : '0');
        }
    }
    return size;
}
