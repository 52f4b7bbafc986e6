// Handles the server's frames and counts events.
#pragma once

#include "../load/text.h"
#include "../load/upgrade.h"
#include "town.h"

#define HELLO_ID 1
#define KIND_BITS 3
#define PLACE_BITS 20
#define HELLO_MAX 8192

static const char **tokens;
static struct client *pinger;  // requests echoes repeatedly to measure pauses of the event loop
static uint64_t ping_sent_at;  // 0 when the last one was answered
static int port;

// The number after `name` (as in "\"rev\":"), which never occurs in the text of a message.
static bool number_after(const struct frame *frame, const char *name, uint64_t *number) {
    const uint8_t *found = memmem(frame->payload, frame->size, name, strlen(name));
    if (!found) return false;
    const uint8_t *digit = found + strlen(name), *end = frame->payload + frame->size;
    if (digit == end || *digit < '0' || *digit > '9') return false;
    for (*number = 0; digit < end && *digit >= '0' && *digit <= '9'; digit++)
        *number = *number * 10 + (uint64_t)(*digit - '0');
    return true;
}

static uint32_t must_number(const struct frame *frame, const char *name) {
    uint64_t number;
    if (!number_after(frame, name, &number) || number > UINT32_MAX)
        fatal("no %s in %.*s", name, (int)frame->size, (const char *)frame->payload);
    return (uint32_t)number;
}

static bool begins(const struct frame *frame, const char *with) {
    size_t size = strlen(with);
    return frame->size >= size && !memcmp(frame->payload, with, size);
}

// Which of a person's rooms an event is about; false for one that is not counted (the lobby).
static bool slot_of(const struct frame *frame, const struct client *client, unsigned *slot) {
    uint64_t number;
    if (!number_after(frame, "\"room\":\"room-", &number)) return false;
    if (number % town.teams_known != team_of(client->number))
        fatal("person %u heard of room %u, which is not theirs", client->number, (unsigned)number);
    *slot = (unsigned)number / town.teams_known;
    return true;
}

static void hear_change(struct client *client, const struct frame *frame, uint64_t at,
                        bool is_message) {
    unsigned slot;
    if (!slot_of(frame, client, &slot)) return;
    struct person *person = &town.persons[client->number];
    struct room *room = room_of(team_of(client->number), slot);
    uint32_t rev = must_number(frame, "\"rev\":"), seq = must_number(frame, "\"seq\":");
    if (rev > room->rev) room->rev = rev;
    if (seq > room->seq) room->seq = seq;
    if (!change_arrived(person, slot, rev)) return;
    if (is_message) tally.messages++;
    else tally.marks++;
    tally.changes_due--;
    tally.last = at;
    const uint8_t *mark = is_message ? mark_find(frame->payload, frame->payload + frame->size)
                                     : NULL;
    if (!mark) return;
    uint64_t stamp = stamp_read(mark + 2);
    // Messages sent while somebody was away reach them when they reconnect.
    if (stamp >= tally.began && stamp > person->back_at)
        histogram_record(&tally.latency, at - stamp);
}

static void hear_fleeting(struct client *client, uint64_t *count, uint64_t at) {
    (*count)++;
    town.team[team_of(client->number)].pending--;
    tally.pending--;
    tally.last = at;
}

static void hear_synced(struct client *client, const struct frame *frame) {
    uint32_t through = must_number(frame, "\"through\":");
    unsigned slot;
    struct person *person = &town.persons[client->number];
    if (begins(frame, "{\"on\":\"synced\",\"room\":\"lobby\"")) {
        person->have[town.rooms_each] = through;
    } else if (slot_of(frame, client, &slot)) {
        struct room *room = room_of(team_of(client->number), slot);
        if (through > room->rev) room->rev = through;
        changes_told(person, slot, through);
    }
}

static void hear_welcome(struct fleet *fleet, struct client *client, const struct frame *frame,
                         uint64_t at) {
    struct person *person = &town.persons[client->number];
    if (begins(frame, "{\"re\":1,\"error\""))
        fatal("person %u was refused: %.*s", client->number, (int)frame->size,
              (const char *)frame->payload);
    const char *epoch = memmem(frame->payload, frame->size, "\"epoch\":\"", 9);
    if (!epoch) fatal("a welcome without an epoch");
    snprintf(town.epoch, sizeof town.epoch, "%.*s", (int)strcspn(epoch + 9, "\""), epoch + 9);
    client_ready(fleet, client);
    if (!person->leaving) return;
    person->leaving = false;
    person->back_at = at;
    town.team[team_of(client->number)].leaving--;
    histogram_record(&tally.back, at - person->left_at);
}

static void hear_reply(struct fleet *fleet, struct client *client, const struct frame *frame,
                       uint64_t at) {
    uint64_t id, rev;
    if (!number_after(frame, "\"re\":", &id)) return;  // an error without a command
    if (id == HELLO_ID) {
        if (client->state == GREETING) hear_welcome(fleet, client, frame, at);
        return;
    }
    town.persons[client->number].unanswered--;
    tally.unanswered--;
    tally.last = at;
    if (memmem(frame->payload, frame->size < 60 ? frame->size : 60, "\"error\":", 8)) {
        if (tally.refused++) return;
        tally.first_refusal_size = frame->size < sizeof tally.first_refusal
                                       ? frame->size : sizeof tally.first_refusal;
        memcpy(tally.first_refusal, frame->payload, tally.first_refusal_size);
        return;
    }
    enum kind kind = id & ((1 << KIND_BITS) - 1);
    if (kind != POST && kind != REACT) return;
    // Acknowledged, so everybody in the room must receive it, even if nobody ever does.
    struct room *room = &town.rooms[id >> KIND_BITS & ((1 << PLACE_BITS) - 1)];
    if (number_after(frame, "\"rev\":", &rev) && rev > room->rev) room->rev = (uint32_t)rev;
}

static void hear(struct fleet *fleet, struct client *client, const struct frame *frame,
                 uint64_t at) {
    if (begins(frame, "{\"on\":\"message\"")) hear_change(client, frame, at, true);
    else if (begins(frame, "{\"on\":\"typing\"")) hear_fleeting(client, &tally.typing, at);
    else if (begins(frame, "{\"re\":")) hear_reply(fleet, client, frame, at);
    else if (begins(frame, "{\"on\":\"marks\"")) hear_change(client, frame, at, false);
    else if (begins(frame, "{\"on\":\"presence\",\"user\"")) hear_fleeting(client, &tally.presence, at);
    else if (begins(frame, "{\"on\":\"synced\"")) hear_synced(client, frame);
    else if (begins(frame, "{\"on\":\"behind\"")) tally.behind++;
}

// A client sends the revs that it has.
static void say_hello(struct fleet *fleet, struct client *client) {
    const struct person *person = &town.persons[client->number];
    char hello[HELLO_MAX];
    int size;
#define ADD(...) size += snprintf(hello + size, sizeof hello - (size_t)size, __VA_ARGS__)
    size = snprintf(hello, sizeof hello, "{\"id\":%d,\"do\":\"hello\"", HELLO_ID);
    if (town.epoch[0] && person->have[town.rooms_each]) {
        ADD(",\"epoch\":\"%s\",\"rooms\":{\"lobby\":%u", town.epoch,
            person->have[town.rooms_each]);
        for (unsigned slot = 0; slot < town.rooms_each; slot++)
            ADD(",\"room-%03u\":%u", room_number(team_of(client->number), slot),
                person->have[slot]);
        ADD("}");
    }
    ADD("}");
#undef ADD
    send_frame(fleet, client, OP_TEXT, hello, (size_t)size);
}

static void on_upgraded(struct fleet *fleet, struct client *client) {
    client->state = GREETING;
    if (client == pinger) client_ready(fleet, client);
    else say_hello(fleet, client);
}

static void ask_upgrade(struct fleet *fleet, struct client *client) {
    struct upgrade asked = {.host = "127.0.0.1", .port = port, .path = "/ws/echo"};
    if (client != pinger) {
        asked.path = "/ws";
        asked.protocol = "hubbub.v1";
        asked.browser = true;
        asked.token = tokens[account_of(client->number)];
    }
    upgrade_send(fleet, client, &asked);
}

static size_t feed_workday(struct fleet *fleet, struct client *client, const uint8_t *bytes,
                           size_t size, uint64_t at) {
    if (client->state == UPGRADING) {
        size_t head = upgrade_head(client, bytes, size);
        if (head) on_upgraded(fleet, client);
        return head;
    }
    struct frame frame;
    if (!frame_decode(bytes, size, &frame)) return 0;
    if (frame.opcode == OP_CLOSE) {
        client_closed(fleet, client, frame.size < 2 ? 1005
                                                    : frame.payload[0] << 8 | frame.payload[1]);
    } else if (frame.opcode == OP_PING) {
        send_frame(fleet, client, OP_PONG, frame.payload, frame.size);
    } else if (client == pinger) {
        histogram_record(&tally.pause, at - ping_sent_at);
        ping_sent_at = 0;
    } else if (frame.opcode == OP_TEXT && frame.final) {
        hear(fleet, client, &frame, at);
    } else if (frame.opcode != OP_PONG) {
        fatal("a frame of a kind that is not understood here (%d)", frame.opcode);
    }
    return frame.whole;
}
