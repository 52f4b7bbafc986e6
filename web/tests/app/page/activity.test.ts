// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchActivity } from '../../../src/app/page/activity';

const MINUTE_MS = 60_000;

const observer = { setActive: vi.fn(), checkConnection: vi.fn(), save: vi.fn() };
let stop: () => void;

function hide(hidden: boolean): void {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(hidden);
  document.dispatchEvent(new Event('visibilitychange'));
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetAllMocks();
  stop = watchActivity(observer);
});

afterEach(() => {
  stop();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('the user is inactive after five minutes without input', () => {
  vi.advanceTimersByTime(4 * MINUTE_MS);
  dispatchEvent(new Event('pointermove'));
  vi.advanceTimersByTime(4 * MINUTE_MS);
  expect(observer.setActive).not.toHaveBeenCalled();
  vi.advanceTimersByTime(MINUTE_MS);
  expect(observer.setActive.mock.calls).toEqual([[false]]);
});

test('the first input makes the user active, once', () => {
  vi.advanceTimersByTime(6 * MINUTE_MS);
  dispatchEvent(new Event('keydown'));
  dispatchEvent(new Event('keydown'));
  expect(observer.setActive.mock.calls).toEqual([[false], [true]]);
  vi.advanceTimersByTime(5 * MINUTE_MS);
  expect(observer.setActive).toHaveBeenLastCalledWith(false);
});

test('a hidden page makes the user inactive after a minute, and active when it is visible again', () => {
  hide(true);
  expect(observer.save).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(MINUTE_MS - 1);
  expect(observer.setActive).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(observer.setActive).toHaveBeenLastCalledWith(false);
  hide(false);
  expect(observer.setActive).toHaveBeenLastCalledWith(true);
  expect(observer.checkConnection).toHaveBeenCalledOnce();
});

test('hiding the page briefly changes nothing', () => {
  hide(true);
  vi.advanceTimersByTime(MINUTE_MS / 2);
  hide(false);
  vi.advanceTimersByTime(MINUTE_MS);
  expect(observer.setActive).not.toHaveBeenCalled();
});

test('whatever wakes the page triggers a check of the connection', () => {
  for (const type of ['online', 'offline', 'focus']) dispatchEvent(new Event(type));
  dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
  expect(observer.checkConnection).toHaveBeenCalledTimes(4);
  dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false }));
  expect(observer.checkConnection).toHaveBeenCalledTimes(4);
});

test('the state is saved before the page closes, and nothing is reported after stopping', () => {
  dispatchEvent(new Event('pagehide'));
  expect(observer.save).toHaveBeenCalledOnce();
  stop();
  dispatchEvent(new Event('focus'));
  vi.advanceTimersByTime(10 * MINUTE_MS);
  expect(observer.checkConnection).not.toHaveBeenCalled();
  expect(observer.setActive).not.toHaveBeenCalled();
});
