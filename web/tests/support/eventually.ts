import { vi } from 'vitest';

/** Waits until the check passes. Vitest's default of one second is too short on a busy machine. */
export const eventually = (holds: () => unknown): Promise<unknown> =>
  vi.waitFor(holds, { timeout: 30_000 });
