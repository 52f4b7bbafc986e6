/**
 * A model of the server's side of the protocol, small enough to be obviously right: it keeps rooms in
 * memory, numbers changes, and answers hello and sync from one snapshot.
 */

import type {
  MarksEvent,
  Message,
  MessageEvent,
  MyRoom,
  ServerEvent,
  SyncReply,
  Welcome,
} from '../../src/data/wire/protocol';

interface ModelRoom {
  room: string;
  title: string;
  seq: number;
  rev: number;
  metaRev: number;
  messages: Message[];
  readSeq: Map<string, number>;
}

export interface Limits {
  /** More changes than this are answered with a reset. */
  changes: number;
  /** The most changes in one sync reply. */
  reply: number;
  /** The most messages in a reset. */
  page: number;
}

export class ModelServer {
  epoch = 'e1';
  rooms = new Map<string, ModelRoom>();
  #clock = 1_000;
  readonly limits: Limits;

  constructor(
    names: readonly string[],
    readonly people: readonly string[],
    limits: Partial<Limits> = {},
  ) {
    this.limits = { changes: 12, reply: 5, page: 6, ...limits };
    for (const room of names) {
      const readSeq = new Map(people.map((name) => [name, 0]));
      this.rooms.set(room, { room, title: room, seq: 0, rev: 0, metaRev: 0, messages: [], readSeq });
    }
  }

  at(name: string): ModelRoom {
    const room = this.rooms.get(name);
    if (!room) throw new Error(`no room ${name}`);
    return room;
  }

  post(name: string, by: string, text: string, nonce: string): MessageEvent {
    const room = this.at(name);
    const twice = room.messages.find((known) => known.by === by && known.nonce === nonce);
    if (twice) return { on: 'message', ...twice };
    room.seq += 1;
    room.rev += 1;
    if (room.readSeq.get(by) === room.seq - 1) room.readSeq.set(by, room.seq);
    const mentions = this.people.filter((person) => text.includes(`@${person}`));
    const message: Message = {
      room: name,
      seq: room.seq,
      rev: room.rev,
      by,
      at: (this.#clock += 1_000),
      text,
      nonce,
      ...(mentions.length > 0 ? { mentions } : {}),
    };
    room.messages.push(message);
    return { on: 'message', ...message };
  }

  edit(name: string, seq: number, text: string): MessageEvent {
    return this.#change(name, seq, { text, edited_at: (this.#clock += 1_000) });
  }

  delete(name: string, seq: number): MessageEvent {
    const { marks_rev, reactions: _gone, ...left } = this.#message(name, seq);
    this.at(name).messages[seq - 1] = left;
    const marks = marks_rev ? { marks_rev: this.at(name).rev + 1 } : {};
    return this.#change(name, seq, { text: '', deleted: true, mentions: [], ...marks });
  }

  /** Sets or removes a reaction; deleted messages have none. */
  react(name: string, seq: number, by: string, emoji: string): MarksEvent | null {
    const message = this.#message(name, seq);
    if (message.deleted) return null;
    const room = this.at(name);
    room.rev += 1;
    const names = new Map(message.reactions?.map(([known, , who]) => [known, who]));
    const before = names.get(emoji) ?? [];
    const after = before.includes(by) ? before.filter((one) => one !== by) : [...before, by];
    if (after.length > 0) names.set(emoji, after);
    else names.delete(emoji);
    const reactions = [...names].map(([one, who]) => [one, who.length, who] as const);
    const changed = { ...message, marks_rev: room.rev, reactions };
    room.messages[seq - 1] = changed;
    return marksEvent(changed);
  }

  #message(name: string, seq: number): Message {
    const found = this.at(name).messages[seq - 1];
    if (!found) throw new Error(`no message ${name}/${seq}`);
    return found;
  }

  rename(name: string, title: string): ServerEvent {
    const room = this.at(name);
    room.rev += 1;
    room.metaRev = room.rev;
    room.title = title;
    return this.#roomEvent(room);
  }

  read(name: string, by: string, seq: number, back = false): ServerEvent {
    const room = this.at(name);
    const to = back ? seq : Math.max(seq, room.readSeq.get(by) ?? 0);
    room.readSeq.set(by, to);
    return { on: 'read', room: name, read_seq: to, mentions: this.mentions(name, by) };
  }

  mentions(name: string, who: string): number {
    const room = this.at(name);
    const from = room.readSeq.get(who) ?? 0;
    return room.messages.filter(
      (message) => message.seq > from && message.by !== who && message.mentions?.includes(who),
    ).length;
  }

  myRoom(name: string, who: string): MyRoom {
    const room = this.at(name);
    return {
      room: name,
      kind: 'public',
      title: room.title,
      seq: room.seq,
      rev: room.rev,
      role: 'member',
      read_seq: room.readSeq.get(who) ?? 0,
      mentions: this.mentions(name, who),
    };
  }

  welcome(who: string): Welcome {
    return {
      epoch: this.epoch,
      me: { name: who, display_name: who.toUpperCase(), role: 'member' },
      server: {
        name: 'Model',
        version: '0',
        registration: 'open',
        guests: false,
        needs_owner: false,
        limits: { text: 16_000, frame_bytes: 262_144, page: 200 },
      },
      rooms: [...this.rooms.keys()].map((name) => this.myRoom(name, who)),
      gone: [],
      presence: {},
    };
  }

  /** What follows a welcome: the changes of each room, ended by `synced`. */
  catchUp(epoch: string | null, have: Record<string, number>, rooms = [...this.rooms.keys()]) {
    return rooms.flatMap((name): ServerEvent[] => {
      const known = epoch === this.epoch ? have[name] : undefined;
      const { events, reply } = this.sync(name, known ?? Infinity);
      return [...events, { on: 'synced', room: name, through: reply.through, more: reply.more }];
    });
  }

  /** One snapshot: events by ascending rev, then the reply. */
  sync(name: string, after: number): { events: ServerEvent[]; reply: SyncReply } {
    const room = this.at(name);
    const changed: (MessageEvent | MarksEvent)[] = [
      ...room.messages.map((message) => ({ on: 'message' as const, ...message })),
      ...room.messages.map(marksEvent),
    ]
      .filter((event) => event.rev > after)
      .sort((a, b) => a.rev - b.rev);
    if (after > room.rev || changed.length > this.limits.changes) return this.#latest(room);
    const sent = changed.slice(0, this.limits.reply);
    const isAll = sent.length === changed.length;
    const through = isAll ? room.rev : (sent.at(-1)?.rev ?? 0);
    const events: ServerEvent[] = [...sent];
    if (after < room.metaRev && room.metaRev <= through) events.push(this.#roomEvent(room));
    return { events, reply: { through, more: !isAll, reset: false } };
  }

  #latest(room: ModelRoom): { events: ServerEvent[]; reply: SyncReply } {
    const page = room.messages.slice(-this.limits.page).sort((a, b) => a.rev - b.rev);
    const events: ServerEvent[] = [
      { on: 'reset', room: room.room },
      this.#roomEvent(room),
      ...page.map((message): ServerEvent => ({ on: 'message', ...message })),
    ];
    return { events, reply: { through: room.rev, more: false, reset: true } };
  }

  #roomEvent(room: ModelRoom): ServerEvent {
    return { on: 'room', room: room.room, rev: room.metaRev, title: room.title };
  }

  #change(name: string, seq: number, how: Partial<Message>): MessageEvent {
    const room = this.at(name);
    const before = this.#message(name, seq);
    room.rev += 1;
    const after = { ...before, ...how, rev: room.rev };
    room.messages[seq - 1] = after;
    return { on: 'message', ...after };
  }
}

function marksEvent({ room, seq, marks_rev, reactions }: Message): MarksEvent {
  return { on: 'marks', room, seq, rev: marks_rev ?? 0, reactions: reactions ?? [] };
}
