// The options of a flood.
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../load/clock.h"

static const char *const USAGE =
    "usage: flood [OPTION VALUE]...\n"
    "\n"
    "  --port N            where on 127.0.0.1\n"
    "  --source A.B.C      the network of this end's addresses, in 127 (127.0.3)\n"
    "  --sources N         how many addresses of it, at most 250 (1)\n"
    "  --sockets N         connections kept open (1)\n"
    "  --opening FILE      sent first; given several times: connection i sends the i-th, in turn\n"
    "  --upgrade           wait for a 101 before anything else is sent; without one, come anew\n"
    "  --prelude FILE      sent once after that\n"
    "  --payload FILE      sent again and again after that\n"
    "  --times N           how often (0: for ever)\n"
    "  --close             close then and come anew (else stay)\n"
    "  --piece BYTES       of the payload at a time (0: as much as is taken)\n"
    "  --pause-ms N        between two pieces (0)\n"
    "  --deaf              never read\n"
    "  --reconnects N      a second, at most (200)\n"
    "  --seconds N         then report and end (1)\n";

#define OPENINGS_MAX 64

struct text {
    char *data;
    size_t size;
};

struct options {
    int port;
    const char *source;
    unsigned sources, sockets, times, openings;
    struct text opening[OPENINGS_MAX], prelude, payload;
    size_t piece;
    double pause_ms, reconnects, seconds;
    bool upgrade, close, deaf;
};

static double number(const char *name, const char *value, double most) {
    char *end;
    double result = strtod(value, &end);
    if (end == value || *end || !(result >= 0 && result <= most))
        fatal("--%s must be a number from 0 to %g, not '%s'", name, most, value);
    return result;
}

static struct text text_read(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fatal("%s: %m", path);
    fseek(file, 0, SEEK_END);
    struct text text = {.size = (size_t)ftell(file)};
    rewind(file);
    text.data = malloc(text.size + 1);
    if (!text.data || fread(text.data, 1, text.size, file) != text.size)
        fatal("%s cannot be read", path);
    fclose(file);
    return text;
}

static struct options options_read(int argc, char **argv) {
    static const struct option known[] = {
        {"port", 1, 0, 'p'},    {"source", 1, 0, 'a'},     {"sources", 1, 0, 'A'},
        {"sockets", 1, 0, 's'}, {"opening", 1, 0, 'o'},    {"upgrade", 0, 0, 'u'},
        {"prelude", 1, 0, 'e'}, {"payload", 1, 0, 'y'},    {"times", 1, 0, 't'},
        {"close", 0, 0, 'c'},   {"piece", 1, 0, 'i'},      {"pause-ms", 1, 0, 'm'},
        {"deaf", 0, 0, 'd'},    {"reconnects", 1, 0, 'r'}, {"seconds", 1, 0, 'n'},
        {0, 0, 0, 0}};
    struct options o = {.source = "127.0.3", .sources = 1, .sockets = 1, .reconnects = 200,
                        .seconds = 1};
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", known, &index)) != -1) {
        const char *name = known[index].name;
        switch (option) {
        case 'p': o.port = (int)number(name, optarg, 65535); break;
        case 'a': o.source = optarg; break;
        case 'A': o.sources = (unsigned)number(name, optarg, 250); break;
        case 's': o.sockets = (unsigned)number(name, optarg, 10000); break;
        case 'o':
            if (o.openings == OPENINGS_MAX) fatal("at most %d openings", OPENINGS_MAX);
            o.opening[o.openings++] = text_read(optarg);
            break;
        case 'u': o.upgrade = true; break;
        case 'e': o.prelude = text_read(optarg); break;
        case 'y': o.payload = text_read(optarg); break;
        case 't': o.times = (unsigned)number(name, optarg, 1e9); break;
        case 'c': o.close = true; break;
        case 'i': o.piece = (size_t)number(name, optarg, 1e9); break;
        case 'm': o.pause_ms = number(name, optarg, 1e6); break;
        case 'd': o.deaf = true; break;
        case 'r': o.reconnects = number(name, optarg, 10000); break;
        case 'n': o.seconds = number(name, optarg, 600); break;
        default: fputs(USAGE, stderr); exit(2);
        }
    }
    // Only this machine is ever flooded.
    if (optind != argc || !o.port || !o.sockets || !o.sources || strncmp(o.source, "127.", 4)) {
        fputs(USAGE, stderr);
        exit(2);
    }
    return o;
}
