// The options of a run.
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text.h"

static const char *const USAGE =
    "usage: load chat|connect|post [OPTION VALUE]...\n"
    "\n"
    "  chat      connect, then send at a fixed rate (open loop) and count what everyone gets\n"
    "  connect   connect, and say how long it took until all had their welcome\n"
    "  post      keep one HTTP request under way on every connection\n"
    "\n"
    "  --host ADDRESS --port N --path PATH\n"
    "  --clients N         connections\n"
    "  --at-once N         of which on their way at the same time while connecting (50)\n"
    "  --tokens FILE       one per line; connection i sends the i-th as its bearer token\n"
    "  --skip N            tokens of the file that are not used (0)\n"
    "  --protocol NAME     WebSocket subprotocol\n"
    "  --browser           send the headers a browser sends, deflate offered\n"
    "  --hello TEXT        a frame sent after the upgrade\n"
    "  --welcome TEXT      ready when a frame holds this (else: when upgraded)\n"
    "  --template TEXT     of a message or body: %t text, %n nonce, %i number, %% percent\n"
    "  --senders N         chat: how many of the clients send (20)\n"
    "  --rate N            chat: messages a second, of all senders together\n"
    "  --seconds N         how long to send (10)\n"
    "  --most N            post: stop after so many, if that comes first\n"
    "  --size N            bytes of a text (120)\n"
    "  --timeout N         seconds until all must be connected (60)\n"
    "  --pause             chat: say \"ready\" on stderr, then do one step, with one result,\n"
    "                      for each line \"RATE SECONDS\" on stdin, until that ends\n"
    "  --hold              connect: stay until stdin ends\n";

struct options {
    const char *mode, *host, *path, *tokens, *protocol, *hello, *welcome, *template;
    int port;
    unsigned clients, at_once, senders, skip;
    uint64_t most;
    size_t size;
    double rate, seconds, timeout_s;
    bool browser, pause, hold;
};

static double number(const char *name, const char *value, double least) {
    char *end;
    double result = strtod(value, &end);
    if (end == value || *end || result < least || result > 1e9)
        fatal("--%s must be a number from %g upwards, not '%s'", name, least, value);
    return result;
}

static struct options options_read(int argc, char **argv) {
    static const struct option known[] = {
        {"host", 1, 0, 'H'},     {"port", 1, 0, 'p'},     {"path", 1, 0, 'P'},
        {"clients", 1, 0, 'c'},  {"at-once", 1, 0, 'a'},  {"tokens", 1, 0, 'k'},
        {"protocol", 1, 0, 'o'}, {"browser", 0, 0, 'b'},  {"hello", 1, 0, 'e'},
        {"welcome", 1, 0, 'w'},  {"template", 1, 0, 't'}, {"senders", 1, 0, 's'},
        {"rate", 1, 0, 'r'},     {"seconds", 1, 0, 'd'},  {"size", 1, 0, 'z'},
        {"skip", 1, 0, 'i'},     {"most", 1, 0, 'n'},
        {"timeout", 1, 0, 'm'},  {"pause", 0, 0, 'u'},    {"hold", 0, 0, 'l'},
        {0, 0, 0, 0}};
    struct options o = {.host = "127.0.0.1", .path = "/ws", .port = 8080, .clients = 1,
                        .at_once = 50, .senders = 20, .rate = 500, .seconds = 10, .size = 120,
                        .timeout_s = 60, .most = UINT64_MAX, .template = "%t"};
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", known, &index)) != -1) {
        const char *name = known[index].name;
        switch (option) {
        case 'H': o.host = optarg; break;
        case 'p': o.port = (int)number(name, optarg, 1); break;
        case 'P': o.path = optarg; break;
        case 'c': o.clients = (unsigned)number(name, optarg, 1); break;
        case 'a': o.at_once = (unsigned)number(name, optarg, 1); break;
        case 'k': o.tokens = optarg; break;
        case 'o': o.protocol = optarg; break;
        case 'b': o.browser = true; break;
        case 'e': o.hello = optarg; break;
        case 'w': o.welcome = optarg; break;
        case 't': o.template = optarg; break;
        case 's': o.senders = (unsigned)number(name, optarg, 1); break;
        case 'r': o.rate = number(name, optarg, 0.001); break;
        case 'd': o.seconds = number(name, optarg, 0.1); break;
        case 'z': o.size = (size_t)number(name, optarg, MARK_SIZE + 1); break;
        case 'i': o.skip = (unsigned)number(name, optarg, 0); break;
        case 'n': o.most = (uint64_t)number(name, optarg, 1); break;
        case 'm': o.timeout_s = number(name, optarg, 0.1); break;
        case 'u': o.pause = true; break;
        case 'l': o.hold = true; break;
        default: fputs(USAGE, stderr); exit(2);
        }
    }
    if (optind != argc - 1) {
        fputs(USAGE, stderr);
        exit(2);
    }
    o.mode = argv[optind];
    if (o.senders > o.clients) o.senders = o.clients;
    return o;
}

// The lines of the tokens file, one per connection; NULL if there is no file.
static char **tokens_read(const struct options *o) {
    char **tokens = calloc(o->clients, sizeof *tokens);
    if (!tokens) fatal("out of memory");
    if (!o->tokens) return tokens;
    FILE *file = fopen(o->tokens, "r");
    if (!file) fatal("%s: %m", o->tokens);
    char *line = NULL;
    size_t room = 0;
    for (unsigned i = 0; i < o->skip + o->clients; i++) {
        if (getline(&line, &room, file) <= 1)
            fatal("%s has only %u tokens, not %u", o->tokens, i, o->skip + o->clients);
        line[strcspn(line, "\r\n")] = 0;
        if (i >= o->skip && !(tokens[i - o->skip] = strdup(line))) fatal("out of memory");
    }
    free(line);
    fclose(file);
    return tokens;
}
