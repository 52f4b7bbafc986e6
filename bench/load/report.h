// One JSON object on standard output, on one line.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "clock.h"
#include "histogram.h"

static bool report_begun;

static void report_name(const char *name) {
    printf("%s\"%s\":", report_begun ? "," : "{", name);
    report_begun = true;
}

static void report_count(const char *name, uint64_t value) {
    report_name(name);
    printf("%llu", (unsigned long long)value);
}

static void report_number(const char *name, double value) {
    report_name(name);
    printf("%.6f", value);
}

static void report_us(const char *name, const struct histogram *latency, double part) {
    report_number(name, (double)histogram_percentile(latency, part) / 1e3);
}

// Bytes of any encoding; all but printable ASCII is written as one escape per byte.
static void report_text(const char *name, const uint8_t *text, size_t size) {
    report_name(name);
    putchar('"');
    for (size_t i = 0; i < size; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\')
            printf("\\u%04x", text[i]);
        else
            putchar(text[i]);
    }
    putchar('"');
}

static void report_end(void) {
    puts("}");
    report_begun = false;
    if (fflush(stdout)) fatal("cannot write the result: %m");
}
