import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Announcer } from '../../../src/app/announcer';
import { newLineOnChange, newLineOnOpen, newLineOnReturn } from '../../../src/views/timeline/newLine';
import { localeOf, startOfDay, Times } from '../../../src/time/times';
import { toRoomState, type RoomState } from '../../../src/data/state/state';

describe('times', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  // In other time zones, the same moment is another hour, and even another day.
  const AT = Date.UTC(2025, 10, 25, 23, 30);

  test.each([
    ['Europe/Berlin', 'en-GB', '00:30', 'Wednesday 26 November'],
    ['America/New_York', 'en-US', '6:30 PM', 'Tuesday, November 25'],
    ['Asia/Kolkata', 'de', '05:00', 'Mittwoch, 26. November'],
    ['Pacific/Auckland', 'en-GB', '12:30', 'Wednesday 26 November'],
  ])('in %s, written in %s', (place, locale, clock, day) => {
    vi.stubEnv('TZ', place);
    const times = new Times(locale);
    expect(times.clock(AT).replace(/\s/g, ' ')).toBe(clock);
    expect(times.day(AT, AT + 5 * 86_400_000)).toBe(day);
    expect(times.full(AT)).toContain('2025');
  });

  test('days are counted by the calendar, even if a day has 25 hours', () => {
    vi.stubEnv('TZ', 'Europe/Berlin');
    const times = new Times('en-GB');
    const before = new Date(2025, 9, 25, 23, 50).getTime();
    const evening = new Date(2025, 9, 26, 23, 50).getTime();
    expect(evening - before).toBe(25 * 3_600_000);
    expect(times.day(before, evening)).toBe('Yesterday');
    expect(times.day(evening, evening)).toBe('Today');
    expect(new Times('de').day(before, evening)).toBe('Gestern');
    expect(startOfDay(before, 1)).toBe(new Date(2025, 9, 26).getTime());
    expect(startOfDay(evening, 1)).toBe(new Date(2025, 9, 27).getTime());
  });

  test('another year is shown', () => {
    vi.stubEnv('TZ', 'Europe/Berlin');
    const now = new Date(2025, 0, 5).getTime();
    expect(new Times('en-GB').day(new Date(2024, 11, 25).getTime(), now)).toMatch(
      /^Wednesday,? 25 December 2024$/,
    );
  });

  test('the regional variant is the browser’s, if it has one', () => {
    expect(localeOf('en', ['de-AT', 'en-AU', 'en-US'])).toBe('en-AU');
    expect(localeOf('de', ['en-GB'])).toBe('de');
  });
});

describe('the line "New"', () => {
  const room = (seq: number, readSeq: number, more: Partial<RoomState> = {}): RoomState => ({
    ...toRoomState({ room: 'tea', kind: 'public', title: 'Tea', role: 'member', seq, read_seq: readSeq }, 1),
    ...more,
  });

  test('is where the user stopped reading, and stays while the user reads on', () => {
    const at = newLineOnOpen(room(9, 4));
    expect(at.newAfter).toBe(4);
    expect(newLineOnChange(at, room(9, 9), true).newAfter).toBe(4);
    expect(newLineOnChange(newLineOnChange(at, room(9, 9), true), room(12, 9), true).newAfter).toBe(4);
  });

  test('does not exist in a read room, nor for messages that the user sees arriving', () => {
    const at = newLineOnOpen(room(9, 9));
    expect(at.newAfter).toBeNull();
    expect(newLineOnChange(at, room(10, 9), true).newAfter).toBeNull();
  });

  test('is set above messages that arrive while nobody is looking, and stays there', () => {
    const away = newLineOnChange(newLineOnOpen(room(9, 9)), room(10, 9), false);
    expect(away.newAfter).toBe(9);
    expect(newLineOnChange(away, room(12, 9), false).newAfter).toBe(9);
    const back = newLineOnChange(away, room(12, 12), true);
    expect(back.newAfter).toBe(9);
    expect(newLineOnChange(back, room(13, 12), false).newAfter).toBe(12);
  });

  test('is moved by marking as unread, and held until the user comes back', () => {
    const at = newLineOnChange(newLineOnOpen(room(9, 9)), room(9, 5), true);
    expect(at).toMatchObject({ newAfter: 5, isHeld: true });
    expect(newLineOnChange(at, room(10, 5), true).isHeld).toBe(true);
    expect(newLineOnReturn(at)).toMatchObject({ newAfter: 5, isHeld: false });
  });

  test('counts a marker under way as read', () => {
    expect(newLineOnOpen(room(9, 4, { sentRead: 9 })).newAfter).toBeNull();
  });
});

describe('live messages', () => {
  let said: string[];
  let announcer: Announcer;
  beforeEach(() => {
    vi.useFakeTimers();
    said = [];
    announcer = new Announcer({
      say: (text) => said.push(text),
      one: ({ name, text }) => `${name}: ${text}`,
      many: (count) => `${count} new`,
    });
  });
  afterEach(() => {
    announcer.stop();
    vi.useRealTimers();
  });
  const hear = (...texts: string[]) => {
    for (const text of texts) announcer.add({ kind: 'text', name: 'bo', text });
  };

  test('are announced at once, a few more after them', () => {
    hear('one', 'two', 'three');
    expect(said).toEqual(['bo: one']);
    vi.advanceTimersByTime(2_000);
    expect(said).toEqual(['bo: one', 'bo: two\nbo: three']);
  });

  test('are only counted if there are too many, as long as they keep arriving', () => {
    hear('one', 'two', 'three', 'four', 'five');
    vi.advanceTimersByTime(2_000);
    hear('six', 'seven', 'eight', 'nine');
    vi.advanceTimersByTime(2_000);
    expect(said).toEqual(['bo: one', '4 new', '4 new\u00a0']);
    vi.advanceTimersByTime(2_000);
    hear('ten');
    expect(said.at(-1)).toBe('bo: ten');
  });

  test('with the same text are announced twice; long ones are shortened', () => {
    hear('ok');
    vi.advanceTimersByTime(5_000);
    hear('ok');
    vi.advanceTimersByTime(5_000);
    expect(said[1]).not.toBe(said[0]);
    hear('x'.repeat(16_000));
    expect(said[2]?.length).toBeLessThan(320);
  });

  test('are no longer announced when the room is left', () => {
    hear('one', 'two');
    announcer.stop();
    vi.advanceTimersByTime(5_000);
    expect(said).toEqual(['bo: one']);
  });
});
