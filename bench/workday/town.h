// The connected people, their rooms, and the changes that each of them has received.
//
// People work in teams: the members of a team share all their rooms. A person keeps, for each
// room, the rev up to which it has every change (docs/protocol.md, "The rule every client
// follows"), so a lost change is known for certain, also across a reconnect. Typing notices and
// presence are not stored and have no number: they are counted for the team as a whole.
#pragma once

#include "../load/fleet.h"
#include "../load/histogram.h"

#define ROOMS_MAX 32

enum kind { POST, TYPING, READ, REACT, ACTIVE, RECONNECT, KINDS };

struct room {
    uint32_t rev, seq;       // the latest known to anybody
    uint32_t reacted_seq;    // the message that is being reacted to, and who is next to do so:
    unsigned next_reactor;   // nobody reacts twice, as that would change nothing
};

struct early {
    unsigned slot;
    uint32_t rev;
};

struct person {
    uint32_t have[ROOMS_MAX + 1];  // the last one is the lobby's
    struct early *early;           // changes beyond a gap, or beside a resume under way
    unsigned early_count, early_room;
    unsigned unanswered;           // commands whose reply is still to come
    bool away, leaving, came_back;
    uint64_t left_at, back_at;
};

struct team {
    int64_t pending;  // typing and presence events that its members are still to receive
    unsigned leaving; // members who are reconnecting
};

struct town {
    unsigned people, team_size, rooms_each;
    unsigned teams_known, teams;  // those with accounts, and those who are connected
    struct person *persons;
    struct room *rooms;           // of all teams, `rooms_each` for each
    struct team *team;
    unsigned *away, away_count;   // the people who are away, in the order of leaving
    char epoch[80];
};

// The counts of a step. Each array is indexed by the kind of action.
struct tally {
    uint64_t began;
    uint64_t sent[KINDS], unsent[KINDS];
    uint64_t messages, marks, typing, presence;  // events received
    uint64_t repeated, behind, refused;
    uint64_t last;  // when the last counted event came
    int64_t pending, changes_due, unanswered;
    uint8_t first_refusal[200];
    size_t first_refusal_size;
    struct histogram latency, back, pause;
};

static struct town town;
static struct tally tally;

static void town_open(unsigned people, unsigned team_size, unsigned rooms_each) {
    if (!team_size || people % team_size) fatal("%u people are no teams of %u", people, team_size);
    if (!rooms_each || rooms_each > ROOMS_MAX) fatal("a person is in 1 to %d rooms", ROOMS_MAX);
    town = (struct town){.people = people, .team_size = team_size, .rooms_each = rooms_each,
                         .teams_known = people / team_size};
    town.persons = calloc(people, sizeof *town.persons);
    town.rooms = calloc((size_t)town.teams_known * rooms_each, sizeof *town.rooms);
    town.team = calloc(town.teams_known, sizeof *town.team);
    town.away = calloc(people, sizeof *town.away);
    if (!town.persons || !town.rooms || !town.team || !town.away) fatal("out of memory");
    for (unsigned i = 0; i < people; i++) town.persons[i].came_back = true;
}

static unsigned team_of(unsigned number) { return number / town.team_size; }

// How the accounts are numbered in the data folder (bench/people.py): the teams take turns.
static unsigned account_of(unsigned number) {
    return number % town.team_size * town.teams_known + team_of(number);
}

static unsigned room_number(unsigned team, unsigned slot) {
    return team + slot * town.teams_known;
}

static struct room *room_of(unsigned team, unsigned slot) {
    return &town.rooms[(size_t)team * town.rooms_each + slot];
}

static void early_keep(struct person *person, unsigned slot, uint32_t rev) {
    for (unsigned i = 0; i < person->early_count; i++) {
        if (person->early[i].slot == slot && person->early[i].rev == rev) {
            if (!person->came_back) tally.repeated++;
            return;
        }
    }
    if (person->early_count == person->early_room) {
        person->early_room = person->early_room ? person->early_room * 2 : 16;
        person->early = realloc(person->early, person->early_room * sizeof *person->early);
        if (!person->early) fatal("out of memory");
    }
    person->early[person->early_count++] = (struct early){slot, rev};
}

// Applies the changes that follow without a gap, and drops those that are already known.
static void early_apply(struct person *person, unsigned slot) {
    bool moved = true;
    while (moved) {
        moved = false;
        for (unsigned i = 0; i < person->early_count; i++) {
            struct early *early = &person->early[i];
            if (early->slot != slot || early->rev > person->have[slot] + 1) continue;
            moved = moved || early->rev == person->have[slot] + 1;
            if (early->rev > person->have[slot]) person->have[slot] = early->rev;
            *early = person->early[--person->early_count];
            i--;
        }
    }
}

// A change of a room reached a person; false when it had reached them before.
static bool change_arrived(struct person *person, unsigned slot, uint32_t rev) {
    if (rev <= person->have[slot]) {
        if (!person->came_back) tally.repeated++;
        return false;
    }
    if (rev > person->have[slot] + 1) {
        early_keep(person, slot, rev);
        return true;
    }
    person->have[slot] = rev;
    early_apply(person, slot);
    return true;
}

// The server has sent all changes of a room up to this rev.
static void changes_told(struct person *person, unsigned slot, uint32_t through) {
    if (through > person->have[slot]) person->have[slot] = through;
    early_apply(person, slot);
}

// The number of changes that have not reached all connected people.
static uint64_t changes_missing(void) {
    uint64_t missing = 0;
    for (unsigned number = 0; number < town.teams * town.team_size; number++) {
        const struct person *person = &town.persons[number];
        for (unsigned slot = 0; slot < town.rooms_each; slot++)
            missing += room_of(team_of(number), slot)->rev - person->have[slot];
        missing -= person->early_count;
    }
    return missing;
}

static uint64_t pending_lost(void) {
    uint64_t lost = 0;
    for (unsigned i = 0; i < town.teams; i++)
        if (town.team[i].pending > 0) lost += (uint64_t)town.team[i].pending;
    return lost;
}

static uint64_t pending_repeated(void) {
    uint64_t repeated = 0;
    for (unsigned i = 0; i < town.teams; i++)
        if (town.team[i].pending < 0) repeated += (uint64_t)-town.team[i].pending;
    return repeated;
}

// Resets the counts, so that losses of a step do not count for the next one.
static void town_forgive(void) {
    memset(&tally, 0, sizeof tally);
    for (unsigned i = 0; i < town.teams; i++) town.team[i].pending = 0;
    for (unsigned number = 0; number < town.teams * town.team_size; number++) {
        struct person *person = &town.persons[number];
        for (unsigned slot = 0; slot < town.rooms_each; slot++)
            person->have[slot] = room_of(team_of(number), slot)->rev;
        person->early_count = 0;
        person->unanswered = 0;
        person->came_back = person->leaving;
    }
}
