// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Disconnected, Refused } from '../../../src/data/wire/errors';
import { Socket, type SocketObserver } from '../../../src/data/wire/socket';

class FakeWebSocket {
  readyState = 0;
  sent: { id?: number; do: string }[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((close: { code: number }) => void) | null = null;

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as { do: string });
  }

  receive(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  fail(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  close(): void {
    this.readyState = 3;
  }
}

let sockets: FakeWebSocket[];
let listener: { [K in keyof SocketObserver]: ReturnType<typeof vi.fn> };
let socket: Socket;

const latest = () => sockets.at(-1) as FakeWebSocket;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  listener = {
    opened: vi.fn(),
    event: vi.fn(),
    closed: vi.fn(),
    ended: vi.fn(),
    mayRetry: vi.fn(async () => true),
  };
  socket = new Socket(listener as unknown as SocketObserver, {
    connect: () => {
      const fake = new FakeWebSocket();
      sockets.push(fake);
      return fake as unknown as WebSocket;
    },
    random: () => 1,
  });
  socket.start();
});

afterEach(() => {
  socket.stop();
  vi.useRealTimers();
});

describe('the socket', () => {
  test('returns each reply to its command', async () => {
    latest().open();
    const first = socket.request('about', {});
    const second = socket.request('leave', { room: 'lobby' });
    latest().receive({ re: 2, error: { code: 'last_owner', message: 'No.', retry_after: null } });
    latest().receive({ re: 1, ok: { name: 'Hubbub' } });
    await expect(first).resolves.toEqual({ name: 'Hubbub' });
    await expect(second).rejects.toThrow(Refused);
  });

  test('rejects waiting commands when the connection is lost', async () => {
    latest().open();
    const asked = socket.request('about', {});
    latest().fail(1006);
    await expect(asked).rejects.toThrow(Disconnected);
    await expect(socket.request('about', {})).rejects.toThrow(Disconnected);
  });

  test('reconnects with growing delays, but at once when the network comes back', async () => {
    const delays = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      latest().fail(1006);
      const delay = listener.closed.mock.lastCall?.[0] as number;
      delays.push(delay);
      await vi.advanceTimersByTimeAsync(delay);
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    latest().fail(1006);
    const before = sockets.length;
    socket.checkConnection();
    expect(sockets.length).toBe(before + 1);
  });

  test('starts with short delays again after a successful hello', async () => {
    for (let attempt = 0; attempt < 4; attempt += 1) {
      latest().fail(1006);
      await vi.advanceTimersByTimeAsync(30_000);
    }
    latest().open();
    socket.confirmOpen();
    latest().fail(1006);
    expect(listener.closed).toHaveBeenLastCalledWith(500);
  });

  test('reconnects after the delay that a stopping server asked for, spread over as long again', async () => {
    latest().open();
    latest().receive({ on: 'notice', text: 'Restarting.', retry_after: 3 });
    latest().fail(1012);
    expect(listener.closed).toHaveBeenLastCalledWith(6_000);
  });

  test.each([
    [1008, 'policy'],
    [4001, 'sign-in'],
  ])('does not reconnect after %i', async (code, sessionEnd) => {
    latest().open();
    latest().fail(code);
    expect(listener.ended).toHaveBeenCalledWith(sessionEnd);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(sockets.length).toBe(1);
  });

  test('reconnects at once to sync when it was too slow', async () => {
    latest().open();
    socket.confirmOpen();
    latest().fail(4000);
    expect(listener.closed).toHaveBeenLastCalledWith(0);
  });

  test('stops when the session turns out to be over', async () => {
    listener.mayRetry.mockResolvedValue(false);
    latest().fail(1006);
    await vi.advanceTimersByTimeAsync(0);
    expect(listener.ended).toHaveBeenCalledWith('sign-in');
    await vi.advanceTimersByTimeAsync(120_000);
    expect(sockets.length).toBe(1);
  });

  test('detects a dead connection after sleep, and reconnects', async () => {
    latest().open();
    socket.checkConnection();
    expect(latest().sent).toEqual([{ id: 1, do: 'about' }]);
    await vi.advanceTimersByTimeAsync(8_500);
    expect(sockets.length).toBe(2);
  });

  test('keeps a connection that answers, even with a refusal', async () => {
    latest().open();
    socket.checkConnection();
    latest().receive({ re: 1, error: { code: 'unknown_command', message: 'No.' } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets.length).toBe(1);
  });
});
