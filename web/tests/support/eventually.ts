import { vi } from 'vitest';

/** Waits until it holds. Vitest's own limit is one second, which a busy machine may need. */
export const eventually = (holds: () => unknown): Promise<unknown> =>
  vi.waitFor(holds, { timeout: 30_000 });
