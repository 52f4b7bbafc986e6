// A step: each action is done at its own fixed rate for a while, whatever the server does (open
// loop); then the load waits for pending events and reports what is missing.
#pragma once

#include "../load/report.h"
#include "do.h"

#define BURST 64            // of one kind at once when late, before incoming data is read
#define DRAIN_NS (8 * SECOND_NS)
#define DRAIN_QUIET_NS (SECOND_NS * 5 / 2)  // a marker may be stored, and answered, 2 s later
#define PING_EVERY_NS 5000000ull
#define CALM_NS (SECOND_NS / 2)
#define CALM_MAX_NS (20 * SECOND_NS)

static const char *const NAMES[KINDS] = {"post",  "typing", "read",
                                         "react", "active", "reconnect"};

struct plan {
    double rate;
    uint64_t total, begun, due;  // `due`: when the next is
};

// Each is at a random moment of its own slot of time, so that the kinds overlap randomly.
static void plan_next(struct plan *plan) {
    double jitter = (double)(random_bits() >> 11) / (double)(1ull << 53);
    plan->due = plan->begun < plan->total
                    ? tally.began + (uint64_t)(((double)plan->begun + jitter) * 1e9 / plan->rate)
                    : UINT64_MAX;
}

static void ping(struct fleet *fleet, uint64_t *next) {
    uint64_t now = now_ns();
    if (now < *next) return;
    *next = now + PING_EVERY_NS;
    if (ping_sent_at || pinger->state != READY) return;  // the previous echo is still pending
    ping_sent_at = now;
    send_frame(fleet, pinger, OP_TEXT, "ping", 4);
}

// Does the actions of one kind that are due.
static void catch_up(struct fleet *fleet, enum kind kind, struct plan *plan, uint64_t now) {
    for (int i = 0; i < BURST && plan->due <= now; i++) {
        if (DO[kind](fleet)) tally.sent[kind]++;
        else tally.unsent[kind]++;
        plan->begun++;
        plan_next(plan);
    }
}

static void work(struct fleet *fleet, struct plan *plans, double seconds) {
    uint64_t end = tally.began + (uint64_t)(seconds * 1e9), next_ping = 0, now;
    do {
        now = now_ns();
        uint64_t next = end;
        ping(fleet, &next_ping);
        if (next_ping < next) next = next_ping;
        for (int kind = 0; kind < KINDS; kind++) {
            catch_up(fleet, kind, &plans[kind], now);
            if (plans[kind].due < next) next = plans[kind].due;
        }
        if (tally.pending > 0 || tally.changes_due > 0) fleet_glance(fleet, next);
        else fleet_turn_until(fleet, next);
    } while (now < end && fleet->closed < fleet->count);
    for (int kind = 0; kind < KINDS; kind++)
        tally.unsent[kind] += plans[kind].total - plans[kind].begun;
}

static bool is_all_here(const struct fleet *fleet) {
    return tally.unanswered <= 0 && tally.pending <= 0 && fleet->ready >= fleet->count &&
           !changes_missing();
}

static void drain(struct fleet *fleet) {
    uint64_t began = now_ns(), now = began, next_ping = 0;
    while (!is_all_here(fleet)) {
        ping(fleet, &next_ping);
        fleet_turn(fleet, 5);
        now = now_ns();
        uint64_t heard = tally.last > began ? tally.last : began;
        if (now - heard > DRAIN_QUIET_NS || now - began > DRAIN_NS) return;
    }
}

// Waits until no more counted events come, such as those caused by connecting people.
static void calm_down(struct fleet *fleet) {
    uint64_t began = now_ns();
    tally.last = began;
    while (now_ns() - tally.last < CALM_NS && now_ns() - began < CALM_MAX_NS)
        fleet_turn(fleet, 20);
}

static void report_kinds(const char *what, const uint64_t *counts) {
    for (int kind = 0; kind < KINDS; kind++) {
        char name[40];
        snprintf(name, sizeof name, "%s_%s", what, NAMES[kind]);
        report_count(name, counts[kind]);
    }
}

static void report_step(const struct fleet *fleet, double cpu_s) {
    report_count("people", town.teams * town.team_size);
    report_number("seconds", (double)(now_ns() - tally.began) / 1e9);
    report_kinds("sent", tally.sent);
    report_kinds("unsent", tally.unsent);
    report_count("messages", tally.messages);
    report_count("marks", tally.marks);
    report_count("typing", tally.typing);
    report_count("presence", tally.presence);
    report_count("changes_lost", changes_missing());
    report_count("fleeting_lost", pending_lost());
    report_count("unanswered", tally.unanswered > 0 ? (uint64_t)tally.unanswered : 0);
    report_count("not_back", fleet->count - fleet->closed > fleet->ready
                                 ? fleet->count - fleet->closed - fleet->ready : 0);
    report_count("repeated", tally.repeated + pending_repeated());
    report_count("behind", tally.behind);
    report_count("refused", tally.refused);
    report_text("first_refusal", tally.first_refusal, tally.first_refusal_size);
    report_count("closed", fleet->closed);
    report_count("close_code", (uint64_t)fleet->close_code);
    report_us("p50_us", &tally.latency, 0.50);
    report_us("p99_us", &tally.latency, 0.99);
    report_us("max_us", &tally.latency, 1);
    report_us("back_p50_us", &tally.back, 0.50);
    report_us("back_max_us", &tally.back, 1);
    report_us("pause_p99_us", &tally.pause, 0.99);
    report_us("pause_max_us", &tally.pause, 1);
    report_number("load_cpu_s", cpu_s);
    report_end();
}

static void step(struct fleet *fleet, double seconds, const double *rates) {
    calm_down(fleet);
    town_forgive();
    struct plan plans[KINDS];
    double cpu_s = own_cpu_s();
    tally.began = tally.last = now_ns();
    for (int kind = 0; kind < KINDS; kind++) {
        plans[kind] = (struct plan){.rate = rates[kind],
                                    .total = (uint64_t)(rates[kind] * seconds + 0.5)};
        plan_next(&plans[kind]);
    }
    work(fleet, plans, seconds);
    drain(fleet);
    report_step(fleet, own_cpu_s() - cpu_s);
}
