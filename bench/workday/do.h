// The actions of people. Each function returns false if the action was not possible.
#pragma once

#include "hear.h"

#define TEXT_SIZE 120
#define TRIES 200

static const char *const EMOJI[] = {"👍", "🎉", "👀", "😂", "✅", "🚀"};
#define EMOJI_COUNT (sizeof EMOJI / sizeof *EMOJI)

static uint64_t random_bits(void) {
    static uint64_t state = 0x2545f4914f6cdd1dull;  // the same day every time
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static unsigned random_below(unsigned limit) {
    return (unsigned)((random_bits() >> 33) * limit >> 31);
}

static bool is_here(const struct fleet *fleet, unsigned number) {
    return fleet->clients[number].state == READY;
}

// A connected person; if needed, of a team in which nobody is reconnecting, as somebody who is
// away would miss events that are not stored, and these would be counted as lost.
static bool somebody(const struct fleet *fleet, bool whole_team, unsigned *number) {
    for (int i = 0; i < TRIES; i++) {
        *number = random_below(town.teams * town.team_size);
        if (is_here(fleet, *number) && !(whole_team && town.team[team_of(*number)].leaving))
            return true;
    }
    return false;
}

static void owe(unsigned number) {
    town.team[team_of(number)].pending += town.team_size;
    tally.pending += town.team_size;
}

static bool command(struct fleet *fleet, unsigned number, const char *text, int size) {
    struct client *client = &fleet->clients[number];
    uint8_t frame[FRAME_HEAD_MAX + 1024];
    return client_send(fleet, client, frame, frame_encode(frame, OP_TEXT, text, (size_t)size));
}

// The number of a command, which identifies its reply.
static unsigned long long command_id(enum kind kind, unsigned number, unsigned slot) {
    static uint64_t count;
    uint64_t place = (uint64_t)team_of(number) * town.rooms_each + slot;
    return (++count << PLACE_BITS | place) << KIND_BITS | kind;
}

static bool asked(struct fleet *fleet, unsigned number, const char *text, int size) {
    if (!command(fleet, number, text, size)) return false;
    town.persons[number].unanswered++;
    tally.unanswered++;
    return true;
}

static bool do_post(struct fleet *fleet) {
    static uint64_t run, stamp;
    char body[1024], text[TEXT_SIZE + 1] = "";
    unsigned number, slot = random_below(town.rooms_each);
    if (!somebody(fleet, false, &number)) return false;
    if (!run) run = now_ns();
    uint64_t at = now_ns();
    stamp = at > stamp ? at : stamp + 1;
    text_make(text, TEXT_SIZE, stamp);
    unsigned long long id = command_id(POST, number, slot);
    int size = snprintf(body, sizeof body,
                        "{\"id\":%llu,\"do\":\"post\",\"room\":\"room-%03u\",\"text\":\"%s\","
                        "\"nonce\":\"%llx-%llx\"}",
                        id, room_number(team_of(number), slot), text, (unsigned long long)run, id);
    if (!asked(fleet, number, body, size)) return false;
    tally.changes_due += town.team_size;
    return true;
}

static bool do_typing(struct fleet *fleet) {
    char body[200];
    unsigned number;
    if (!somebody(fleet, true, &number)) return false;
    unsigned room = room_number(team_of(number), random_below(town.rooms_each));
    int size = snprintf(body, sizeof body, "{\"do\":\"typing\",\"room\":\"room-%03u\"}", room);
    if (!command(fleet, number, body, size)) return false;
    owe(number);
    return true;
}

static bool do_read(struct fleet *fleet) {
    char body[200];
    unsigned number, slot = random_below(town.rooms_each);
    if (!somebody(fleet, false, &number)) return false;
    unsigned team = team_of(number);
    int size = snprintf(body, sizeof body,
                        "{\"id\":%llu,\"do\":\"read\",\"room\":\"room-%03u\",\"seq\":%u}",
                        command_id(READ, number, slot), room_number(team, slot),
                        room_of(team, slot)->seq);
    return asked(fleet, number, body, size);
}

// The next member of the team reacts to the latest message of a room.
static bool do_react(struct fleet *fleet) {
    char body[300];
    for (int i = 0; i < TRIES; i++) {
        unsigned team = random_below(town.teams), slot = random_below(town.rooms_each);
        struct room *room = room_of(team, slot);
        if (room->reacted_seq != room->seq) {
            room->reacted_seq = room->seq;
            room->next_reactor = 0;
        }
        if (!room->seq || room->next_reactor == town.team_size) continue;
        unsigned number = team * town.team_size + room->next_reactor++;
        if (!is_here(fleet, number)) continue;
        int size = snprintf(body, sizeof body,
                            "{\"id\":%llu,\"do\":\"react\",\"room\":\"room-%03u\",\"seq\":%u,"
                            "\"emoji\":\"%s\"}",
                            command_id(REACT, number, slot), room_number(team, slot), room->seq,
                            EMOJI[number % EMOJI_COUNT]);
        if (!asked(fleet, number, body, size)) return false;
        tally.changes_due += town.team_size;
        return true;
    }
    return false;
}

static bool say_active(struct fleet *fleet, unsigned number, bool active) {
    const char *body = active ? "{\"do\":\"active\",\"active\":true}"
                              : "{\"do\":\"active\",\"active\":false}";
    if (!command(fleet, number, body, (int)strlen(body))) return false;
    town.persons[number].away = !active;
    owe(number);
    return true;
}

// The first person who is away, and in whose team nobody is reconnecting, becomes active.
static bool come_back(struct fleet *fleet) {
    for (unsigned i = 0; i < town.away_count; i++) {
        unsigned number = town.away[i];
        if (!is_here(fleet, number) || town.team[team_of(number)].leaving) continue;
        memmove(town.away + i, town.away + i + 1, (--town.away_count - i) * sizeof *town.away);
        return say_active(fleet, number, true);
    }
    return false;
}

// Alternately, somebody goes idle and somebody becomes active again.
static bool do_active(struct fleet *fleet) {
    static uint64_t turn;
    if (turn++ % 2 && come_back(fleet)) return true;
    for (int i = 0; i < TRIES; i++) {
        unsigned number;
        if (!somebody(fleet, true, &number)) return false;
        if (town.persons[number].away) continue;
        town.away[town.away_count++] = number;
        return say_active(fleet, number, false);
    }
    return false;
}

static void leave(struct fleet *fleet, struct client *client) {
    static const uint8_t going_away[] = {1001 >> 8, 1001 & 0xff};
    send_frame(fleet, client, OP_CLOSE, going_away, sizeof going_away);
    if (client->state == CLOSED) return;  // the server closed it first
    close(client->fd);
    bytes_clear(&client->rest);
    bytes_clear(&client->outbox);
    fleet->ready--;
}

// Somebody reloads the page. It must be somebody with no events on their way, which would be lost
// with the old connection.
static bool do_reconnect(struct fleet *fleet) {
    for (int i = 0; i < TRIES; i++) {
        unsigned number;
        if (!somebody(fleet, true, &number)) return false;
        struct person *person = &town.persons[number];
        struct team *team = &town.team[team_of(number)];
        if (person->away || person->unanswered || team->pending > 0) continue;
        struct client *client = &fleet->clients[number];
        leave(fleet, client);
        if (client->state == CLOSED) return false;
        person->leaving = person->came_back = true;
        person->left_at = now_ns();
        team->leaving++;
        client_connect(fleet, client);
        return true;
    }
    return false;
}

static bool (*const DO[KINDS])(struct fleet *) = {
    [POST] = do_post,   [TYPING] = do_typing, [READ] = do_read,
    [REACT] = do_react, [ACTIVE] = do_active, [RECONNECT] = do_reconnect,
};
