// A log-linear histogram: every value is kept, none is sampled, in a fixed 58 KB.
// Each power of two is cut into 128 equal slots, so a percentile is off by 0.4 % at most
// (the idea of HdrHistogram). Values are whatever the caller counts: here nanoseconds.
#pragma once

#include <stdint.h>

#define SLOT_BITS 7
#define SLOTS_PER_POWER (1u << SLOT_BITS)
#define SLOT_COUNT ((64 - SLOT_BITS + 1) * SLOTS_PER_POWER)

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t slots[SLOT_COUNT];
};

static inline unsigned histogram_slot(uint64_t value) {
    if (value < SLOTS_PER_POWER) return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SLOT_BITS;
    // value >> shift lies in [SLOTS_PER_POWER, 2 * SLOTS_PER_POWER).
    return shift * SLOTS_PER_POWER + (unsigned)(value >> shift);
}

// The middle of a slot stands for all that fell into it.
static inline uint64_t histogram_value(unsigned slot) {
    if (slot < 2 * SLOTS_PER_POWER) return slot;
    unsigned shift = slot / SLOTS_PER_POWER - 1;
    uint64_t lowest = (uint64_t)(SLOTS_PER_POWER + slot % SLOTS_PER_POWER) << shift;
    return lowest + ((1ull << shift) >> 1);
}

static inline void histogram_record(struct histogram *h, uint64_t value) {
    h->slots[histogram_slot(value)]++;
    h->count++;
    if (value > h->max) h->max = value;
}

// The smallest recorded value that at least `part` of all values do not exceed; 0 when empty.
static inline uint64_t histogram_percentile(const struct histogram *h, double part) {
    uint64_t rank = (uint64_t)(part * (double)h->count);
    if ((double)rank < part * (double)h->count) rank++;
    if (rank == 0) rank = 1;
    uint64_t seen = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        seen += h->slots[slot];
        if (seen >= rank) {
            uint64_t value = histogram_value(slot);
            return value < h->max ? value : h->max;
        }
    }
    return h->max;
}
