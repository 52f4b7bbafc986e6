// Chat: N clients in a room, the first S of them send at a fixed rate, everyone counts.
//
// Open loop: message k is due at k / rate whatever the server does, as people do not wait for
// each other. Its stamp is the time of its creation, not of its sending, so a server that stops
// reading its senders gets a higher latency.
#pragma once

#include "report.h"
#include "websocket.h"

#define BURST 64          // messages created at once when late, before deliveries are read
#define DRAIN_S 5         // how long to wait for pending deliveries at the end
#define DRAIN_QUIET_S 1.5 // and how long without any delivery

struct sending {
    uint64_t due, sent, unsent;
    uint64_t stamps;  // the sum over the messages sent
    struct histogram late;
};

static void send_message(struct fleet *fleet, struct sending *sending) {
    static char text[65536], message[65536 + 4096];
    static uint8_t frame[sizeof message + FRAME_HEAD_MAX];
    static uint64_t stamp, number;  // of the whole run, as nonces must not repeat
    struct client *client = &fleet->clients[sending->due % options.senders];
    uint64_t at = now_ns();
    stamp = at > stamp ? at : stamp + 1;  // unique, so that the sums tell messages apart
    text_make(text, options.size, stamp);
    size_t size = template_expand(message, sizeof message, options.template, text, options.size,
                                  number++);
    size = frame_encode(frame, OP_TEXT, message, size);
    sending->due++;
    if (client->state != READY || !client_send(fleet, client, frame, size)) {
        sending->unsent++;
        return;
    }
    sending->sent++;
    sending->stamps += stamp;
}

static uint64_t due_at(uint64_t number) {
    return counts.began + (uint64_t)((double)number * 1e9 / options.rate);
}

static void send_due(struct fleet *fleet, struct sending *sending, uint64_t total, uint64_t now) {
    for (int i = 0; i < BURST && sending->due < total && due_at(sending->due) <= now; i++) {
        histogram_record(&sending->late, now - due_at(sending->due));
        send_message(fleet, sending);
    }
}

static void send_all(struct fleet *fleet, struct sending *sending) {
    uint64_t total = (uint64_t)(options.rate * options.seconds + 0.5);
    uint64_t end = counts.began + (uint64_t)(options.seconds * 1e9);
    while (now_ns() < end && fleet->closed < fleet->count) {
        send_due(fleet, sending, total, now_ns());
        uint64_t next = sending->due < total ? due_at(sending->due) : end;
        bool fanning_out = counts.deliveries < sending->sent * fleet->count;
        if (fanning_out) fleet_glance(fleet, next);
        else fleet_turn_until(fleet, next);
    }
    // Another program may have had the core at the end: what was due is late, but not unsent.
    send_due(fleet, sending, total, now_ns());
    // Messages that this load did not create in time count as unsent, like those that did not fit.
    sending->unsent += total - sending->due;
}

static void drain(struct fleet *fleet, const struct sending *sending) {
    uint64_t expected = sending->sent * fleet->count, began = now_ns(), now = began;
    while (counts.deliveries < expected && fleet->closed < fleet->count) {
        fleet_turn(fleet, 10);
        now = now_ns();
        uint64_t heard = counts.last > began ? counts.last : began;
        if (now - heard > (uint64_t)(DRAIN_QUIET_S * 1e9) || now - began > DRAIN_S * SECOND_NS)
            return;
    }
}

// The deliveries that each client has missed; and the clients that got a message twice or a wrong
// one: their count may be right, but the sum of their stamps is not.
static void check(const struct fleet *fleet, const struct sending *sending, uint64_t *lost,
                  uint64_t *repeated, uint64_t *wrong) {
    for (unsigned i = 0; i < fleet->count; i++) {
        const struct client *client = &fleet->clients[i];
        if (client->got < sending->sent) *lost += sending->sent - client->got;
        if (client->got > sending->sent) *repeated += client->got - sending->sent;
        if (client->got == sending->sent && client->stamps != sending->stamps) (*wrong)++;
    }
}

static void forget_last_step(struct fleet *fleet, struct sending *sending) {
    memset(sending, 0, sizeof *sending);
    memset(&counts, 0, sizeof counts);
    for (unsigned i = 0; i < fleet->count; i++) {
        fleet->clients[i].got = 0;
        fleet->clients[i].stamps = 0;
    }
}

static void step(struct fleet *fleet) {
    static struct sending sending;
    forget_last_step(fleet, &sending);
    double cpu = own_cpu_s();
    uint64_t bytes_before = fleet->bytes_in;
    counts.began = counts.last = now_ns();
    send_all(fleet, &sending);
    drain(fleet, &sending);
    cpu = own_cpu_s() - cpu;

    uint64_t lost = 0, repeated = 0, wrong = 0;
    check(fleet, &sending, &lost, &repeated, &wrong);
    double took = (double)(counts.last - counts.began) / 1e9;
    if (took < options.seconds) took = options.seconds;
    report_count("clients", fleet->count);
    report_number("rate", options.rate);
    report_number("seconds", took);
    report_count("sent", sending.sent);
    report_count("unsent", sending.unsent);
    report_count("deliveries", counts.deliveries);
    report_count("expected", sending.sent * fleet->count);
    report_count("lost", lost);
    report_count("repeated", repeated);
    report_count("wrong", wrong);
    report_count("closed", fleet->closed);
    report_count("close_code", (uint64_t)fleet->close_code);
    report_number("deliveries_per_s", (double)counts.deliveries / took);
    report_us("p50_us", &counts.latency, 0.50);
    report_us("p99_us", &counts.latency, 0.99);
    report_us("max_us", &counts.latency, 1);
    report_us("late_p99_us", &sending.late, 0.99);
    report_count("bytes_in", fleet->bytes_in - bytes_before);
    report_number("load_cpu_s", cpu);
    report_count("notices", counts.notices);
    report_text("first_notice", counts.notice, counts.notice_size);
    report_end();
}

// One step as the options say; or, with --pause, one for each line "RATE SECONDS".
static void chat(struct fleet *fleet) {
    settle(fleet);
    if (!options.pause) {
        step(fleet);
        return;
    }
    char line[100];
    fputs("ready\n", stderr);
    while (fleet_wait_for_line(fleet, line, sizeof line)) {
        if (sscanf(line, "%lf %lf", &options.rate, &options.seconds) != 2)
            fatal("not \"RATE SECONDS\": %s", line);
        settle(fleet);  // so that deliveries of a failed step do not count for the next one
        step(fleet);
    }
}
