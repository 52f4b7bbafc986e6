// A working day: connected people who post, type, read, react, go idle, return and reconnect.
// Like load.c it is one thread with epoll, counts exactly, and is one translation unit; it only
// speaks the JSON WebSocket (docs/protocol.md).
//
//   workday PORT TOKENS PEOPLE TEAM ROOMS
//
// TOKENS has a line for each of PEOPLE accounts, who work in teams of TEAM; the members of a
// team share ROOMS rooms. The person on line n is in team n modulo the number of teams, whose
// rooms are room-N with N equal to the team modulo the number of teams. Then it reads lines:
//
//   people N                                      connect up to N of them
//   step SECONDS POST TYPING READ REACT ACTIVE RECONNECT    do so many of each a second
//
// and prints one JSON object on a line for each.
#define _GNU_SOURCE

#include <sys/prctl.h>

#include "workday/step.h"

#define AT_ONCE 64
#define CONNECT_TIMEOUT_S 240
#define PEOPLE_PER_SOURCE 1000

static unsigned number_of(const char *value) {
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (end == value || *end || !number || number > 1000000) fatal("not a number: %s", value);
    return (unsigned)number;
}

static void read_tokens(const char *path, unsigned count) {
    FILE *file = fopen(path, "r");
    if (!file) fatal("%s: %m", path);
    tokens = calloc(count, sizeof *tokens);
    char *line = NULL;
    size_t room = 0;
    for (unsigned i = 0; i < count; i++) {
        if (getline(&line, &room, file) <= 1) fatal("%s has only %u tokens", path, i);
        line[strcspn(line, "\r\n")] = 0;
        tokens[i] = strdup(line);
    }
    free(line);
    fclose(file);
}

static void connect_pinger(struct fleet *fleet) {
    pinger = &fleet->clients[town.people];
    client_connect(fleet, pinger);
    while (pinger->state != READY) fleet_turn(fleet, 100);
    fleet->ready = 0;  // the pinger is not a person
}

static void connect_people(struct fleet *fleet, unsigned people) {
    if (people > town.people || people % town.team_size)
        fatal("%u of %u people are not whole teams", people, town.people);
    double cpu_s = own_cpu_s();
    uint64_t began = now_ns();
    fleet->count = people;
    fleet_connect(fleet, AT_ONCE, CONNECT_TIMEOUT_S);
    double took_s = (double)(now_ns() - began) / 1e9;
    town.teams = people / town.team_size;
    calm_down(fleet);
    report_count("people", people);
    report_number("connect_s", took_s);
    report_number("load_cpu_s", own_cpu_s() - cpu_s);
    report_end();
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fputs("usage: workday PORT TOKENS PEOPLE TEAM ROOMS\n", stderr);
        return 2;
    }
    // Timers of this process fire on time, not up to 50 us late.
    prctl(PR_SET_TIMERSLACK, 1);
    port = (int)number_of(argv[1]);
    unsigned people = number_of(argv[3]);
    read_tokens(argv[2], people);
    town_open(people, number_of(argv[4]), number_of(argv[5]));
    static struct fleet fleet;
    fleet.feed = feed_workday;
    fleet.connected = ask_upgrade;
    fleet.per_source = PEOPLE_PER_SOURCE;
    fleet_open(&fleet, "127.0.0.1", port, people + 1);
    fleet.count = 0;
    connect_pinger(&fleet);
    char line[300];
    while (fleet_wait_for_line(&fleet, line, sizeof line)) {
        double seconds, rates[KINDS];
        unsigned count;
        if (sscanf(line, "people %u", &count) == 1) connect_people(&fleet, count);
        else if (sscanf(line, "step %lf %lf %lf %lf %lf %lf %lf", &seconds, &rates[POST],
                        &rates[TYPING], &rates[READ], &rates[REACT], &rates[ACTIVE],
                        &rates[RECONNECT]) == 1 + KINDS)
            step(&fleet, seconds, rates);
        else fatal("unknown command: %s", line);
    }
    return 0;
}
