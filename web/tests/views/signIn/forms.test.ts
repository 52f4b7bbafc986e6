// @vitest-environment jsdom
import { flushSync, mount, tick, unmount, type Component } from 'svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { dialogs } from '../../../src/app/page/dialogs.svelte';
import * as auth from '../../../src/app/session/auth';
import { session } from '../../../src/app/session/session.svelte';
import type { Pending } from '../../../src/data/storage/outbox';
import { Refused, Unreachable } from '../../../src/data/wire/errors';
import SignInForm from '../../../src/views/signIn/SignInForm.svelte';
import SignUpForm from '../../../src/views/signIn/SignUpForm.svelte';
import SignOut from '../../../src/views/signIn/SignOut.svelte';
import { eventually } from '../../support/eventually';

vi.mock('../../../src/app/session/auth', { spy: true });

let shown: Record<string, unknown> | null = null;

function show<Props extends Record<string, unknown>>(component: Component<Props>, props: Props): void {
  shown = mount(component, { target: document.body, props });
  flushSync();
}

const all = <E extends HTMLElement>(selector: string) => [...document.querySelectorAll<E>(selector)];
const text = () => document.body.textContent ?? '';

function button(name: string): HTMLButtonElement {
  const found = all<HTMLButtonElement>('button').find((one) => one.textContent?.trim() === name);
  if (!found) throw new Error(`No button “${name}”.`);
  return found;
}

function type(name: string, value: string): void {
  const field = document.querySelector<HTMLInputElement>(`[name="${name}"]`);
  if (!field) throw new Error(`No field “${name}”.`);
  field.value = value;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  flushSync();
}

beforeEach(() => {
  localStorage.clear();
  session.user = 'ana';
  session.pending = [];
  // Missing in jsdom.
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});

afterEach(async () => {
  if (shown) await unmount(shown);
  shown = null;
  vi.resetAllMocks();
});

describe('signing out', () => {
  const signOut = () => vi.mocked(auth.signOut).mockResolvedValue();
  const unsent = (nonce: string): Pending => ({
    nonce, room: 'lobby', text: 'hi', kind: 'text', replyTo: null, at: 0, failed: null, sent: false,
  });

  test('does not ask if nothing would be lost', () => {
    session.pending = [{ ...unsent('a'), sent: true }];
    const done = signOut();
    show(SignOut, {});
    expect(done).toHaveBeenCalledExactlyOnceWith({ server: true });
    expect(all('dialog')).toEqual([]);
  });

  test('says how much unsent text would be lost, and keeps it on Cancel', () => {
    session.pending = [unsent('a'), unsent('b')];
    localStorage.setItem('hubbub.draft:ana:lobby', 'half');
    localStorage.setItem('hubbub.draft:bo:lobby', 'somebody else’s');
    const done = signOut();
    dialogs.show('sign-out');
    show(SignOut, {});
    expect(text()).toContain('2 messages have not been sent yet.');
    expect(text()).toContain('1 draft has not been sent yet.');
    button('Cancel').click();
    expect(dialogs.open).toBeNull();
    expect(done).not.toHaveBeenCalled();
    button('Sign out anyway').click();
    expect(done).toHaveBeenCalledExactlyOnceWith({ server: true });
  });

  test('offers to sign out anyway if the server does not answer', async () => {
    const done = signOut().mockRejectedValueOnce(new Unreachable(null));
    show(SignOut, {});
    await eventually(() => expect(text()).toContain('The server did not answer.'));
    button('Sign out anyway').click();
    expect(done).toHaveBeenLastCalledWith({ server: false });
  });
});

test('after too many attempts, says how long to wait', async () => {
  vi.mocked(auth.signIn).mockRejectedValue(
    new Refused({ code: 'rate_limited', message: 'Too fast.', retry_after: 7.2 }),
  );
  show(SignInForm, {});
  type('username', 'ana');
  type('password', 'three words do');
  button('Sign in').click();
  await eventually(() =>
    expect(document.querySelector('[role="alert"]')?.textContent).toBe(
      'Too many attempts. Wait 8 seconds, then try again.',
    ),
  );
});

test('a form with errors is not sent, and the first one gets the focus', async () => {
  const signUp = vi.mocked(auth.signUp).mockResolvedValue();
  show(SignUpForm, { invite: 'c0de' });
  const [name, , password] = all<HTMLInputElement>('input');
  type('username', 'ana');
  type('password', 'short');
  button('Create account').click();
  await tick();
  await eventually(() => expect(document.activeElement).toBe(password));
  expect(password?.getAttribute('aria-invalid')).toBe('true');
  expect(name?.hasAttribute('aria-invalid')).toBe(false);
  expect(signUp).not.toHaveBeenCalled();

  type('password', 'three words do');
  button('Create account').click();
  await eventually(() =>
    expect(signUp).toHaveBeenCalledExactlyOnceWith({
      name: 'ana', password: 'three words do', invite: 'c0de',
    }),
  );
});
