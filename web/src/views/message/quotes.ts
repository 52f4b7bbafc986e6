/** Fetches quoted messages that are not loaded: one at a time, the last request first. */

import { session } from '../../app/session/session.svelte';
import { toMessage, type Message } from '../../data/state/state';

export interface Quoted {
  message: Message;
  name: string;
}

type Answer = Promise<Quoted | null>;

const CACHE_MAX = 500;
const cache = new Map<string, Answer>();
const waiting: (() => Promise<void>)[] = [];
let isBusy = false;

/** Null: it does not exist. Throws Refused or Disconnected. */
export function findQuoted(room: string, seq: number): Answer {
  const key = `${room} ${seq}`;
  const known = cache.get(key);
  if (known) return known;
  if (cache.size >= CACHE_MAX) cache.clear();
  const answer: Answer = new Promise((resolve, reject) => {
    waiting.push(() => fetchOne(room, seq).then(resolve, reject));
  });
  cache.set(key, answer);
  answer.catch(() => cache.delete(key));
  void fetchNext();
  return answer;
}

async function fetchOne(room: string, seq: number): Answer {
  const page = await session.currentChat.request('history', { room, around: seq, limit: 1 });
  const wire = page.messages.find((message) => message.seq === seq);
  if (!wire) return null;
  const author = page.people.find((person) => person.name === wire.by);
  return { message: toMessage(wire), name: author?.display_name ?? wire.by };
}

async function fetchNext(): Promise<void> {
  if (isBusy) return;
  isBusy = true;
  for (let next = waiting.pop(); next; next = waiting.pop()) await next();
  isBusy = false;
}
