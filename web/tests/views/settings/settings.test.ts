// @vitest-environment jsdom
import { flushSync, mount, unmount, type Component } from 'svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { language } from '../../../src/words/language.svelte';
import { session } from '../../../src/app/session/session.svelte';
import { liveRegion } from '../../../src/app/liveRegion.svelte';
import type { Chat } from '../../../src/data/chat';
import type { CommandName, ServerRole } from '../../../src/data/wire/protocol';
import { Disconnected, Refused } from '../../../src/data/wire/errors';
import { INITIAL } from '../../../src/data/state/state';
import { deviceName, kindOf } from '../../../src/views/settings/person/devices';
import Password from '../../../src/views/settings/person/Password.svelte';
import Profile from '../../../src/views/settings/person/Profile.svelte';
import QrCode from '../../../src/views/settings/invites/QrCode.svelte';
import { findRestriction, OF_PERSON, OF_SERVER, listOpenSections } from '../../../src/views/settings/sections';
import Server from '../../../src/views/settings/server/Server.svelte';
import { fromNow } from '../../../src/time/fromNow';
import { settings as de } from '../../../src/words/de/settings';
import { settings as en } from '../../../src/words/en/settings';
import { eventually } from '../../support/eventually';

const me = (role: ServerRole) => ({ ...INITIAL, me: { name: 'ana', display_name: 'Ana', role } });

describe('sections', () => {
  const ALL = [...OF_PERSON, ...OF_SERVER];

  test('are available to those who may change them', () => {
    expect(listOpenSections(me('owner'), ALL)).toEqual(ALL);
    expect(listOpenSections(me('admin'), ALL)).toEqual([...OF_PERSON, 'people', 'invites', 'about']);
    expect(listOpenSections(me('member'), ALL)).toEqual([...OF_PERSON, 'about']);
    expect(listOpenSections(me('guest'), ALL)).toEqual(['appearance', 'about']);
  });

  test('say who may open them otherwise', () => {
    expect(findRestriction(me('member'), 'people')).toBe('admins');
    expect(findRestriction(me('admin'), 'server')).toBe('owners');
    expect(findRestriction(me('guest'), 'profile')).toBe('account');
  });
});

describe('the distance to a moment', () => {
  const NOW = Date.UTC(2026, 0, 15, 12);
  const MINUTE = 60_000;
  const DAY = 24 * 60 * MINUTE;
  const far = (away: number, code = 'en') => fromNow(NOW + away, NOW, code, 'just now');

  test('is given in the largest unit that fits, at most days', () => {
    expect(far(-20_000)).toBe('just now');
    expect(far(-5 * MINUTE)).toBe('5 minutes ago');
    expect(far(-3 * 60 * MINUTE)).toBe('3 hours ago');
    expect(far(-DAY)).toBe('yesterday');
    expect(far(-40 * DAY)).toBe('40 days ago');
    expect(far(-3 * 60 * MINUTE, 'de')).toBe('vor 3 Stunden');
  });

  test('is not a unit less because a moment has passed', () => {
    expect(far(7 * DAY - 900)).toBe('in 7 days');
    expect(far(DAY - 900)).toBe('in 1 day');
    expect(far(365 * DAY)).toBe('in 365 days');
  });
});

describe('devices', () => {
  test('are named in the user’s language', () => {
    expect(deviceName('Firefox on Linux', de.devices)).toBe('Firefox auf Linux');
    expect(deviceName('a Python program on Linux', de.devices)).toBe(
      'Ein Python-Programm auf Linux',
    );
    expect(deviceName('Unknown device', en.devices)).toBe('Unknown device');
    expect(deviceName('something newer', de.devices)).toBe('something newer');
  });

  test('have matching icons', () => {
    expect(kindOf('Chrome on Android')).toBe('phone');
    expect(kindOf('Hubbub for Python')).toBe('program');
    expect(kindOf('Safari on macOS')).toBe('computer');
  });
});

// --- forms ----------------------------------------------------------------------------------------

type Ask = (command: CommandName, fields: object) => Promise<unknown>;
let mounted: Record<string, unknown> | null = null;

function show(view: Component, ask: Ask): HTMLElement {
  session.chat = { request: ask } as unknown as Chat;
  mounted = mount(view, { target: document.body });
  flushSync();
  return document.body;
}

function type(label: string, text: string): HTMLInputElement {
  const found = [...document.querySelectorAll('label')].find((one) =>
    one.textContent.includes(label),
  );
  const field = document.getElementById(found?.htmlFor ?? '') as HTMLInputElement;
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  flushSync();
  return field;
}

const submit = () =>
  document.querySelector('form')?.dispatchEvent(new SubmitEvent('submit', { cancelable: true }));
const button = () => document.querySelector<HTMLButtonElement>('form button.button')!;
const page = () => document.body.textContent;

beforeEach(async () => {
  await language.choose('en');
  const server = {
    name: 'Acme',
    version: '1',
    registration: 'open' as const,
    guests: true,
    needs_owner: false,
    limits: { text: 1, frame_bytes: 1, page: 1 },
  };
  session.state = { ...me('owner'), server };
  session.connection = { status: 'online' };
  liveRegion.dismiss();
});

afterEach(async () => {
  if (mounted) await unmount(mounted);
  mounted = null;
  vi.unstubAllGlobals();
});

describe('the display name', () => {
  test('is sent without surrounding spaces, and only if it has changed', async () => {
    const ask = vi.fn<Ask>(async () => ({}));
    show(Profile, ask);
    expect(button().disabled).toBe(true);
    type(en.profile.displayName, '  Ana B ');
    expect(button().disabled).toBe(false);
    submit();
    await eventually(() => expect(liveRegion.polite).toBe(en.saved));
    expect(ask).toHaveBeenCalledExactlyOnceWith('update_me', { display_name: 'Ana B' });
  });

  test('is previewed while it is typed', () => {
    show(Profile, async () => ({}));
    type(en.profile.displayName, 'Zoe Quinn');
    expect(document.querySelector('.avatar')?.textContent.trim()).toBe('ZQ');
  });

  test('shows at its field that it is too long or was refused', async () => {
    show(Profile, async () => {
      throw new Refused({ code: 'invalid', message: 'Nothing in it can be seen.' });
    });
    const field = type(en.profile.displayName, '🦆'.repeat(65));
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(page()).toContain(en.profile.long);
    type(en.profile.displayName, '🦆'.repeat(64));
    submit();
    await eventually(() => expect(page()).toContain('Nothing in it can be seen.'));
    type(en.profile.displayName, 'Duck');
    expect(page()).not.toContain('Nothing in it can be seen.');
  });

  test('is updated after a change on another device', () => {
    show(Profile, async () => ({}));
    session.state = { ...me('owner'), me: { name: 'ana', display_name: 'Anna', role: 'owner' } };
    flushSync();
    expect(document.querySelector('input')?.value).toBe('Anna');
  });

  test('cannot be saved while the connection is lost', () => {
    show(Profile, async () => Promise.reject(new Disconnected()));
    type(en.profile.displayName, 'Bea');
    session.connection = { status: 'lost', since: 0 };
    flushSync();
    expect(button().disabled).toBe(true);
  });
});

describe('the password', () => {
  const words = en.password;
  const answer = (status: number, body: object) =>
    vi.stubGlobal('fetch', vi.fn(async () => new Response(JSON.stringify(body), { status })));

  test('is checked before it is sent', async () => {
    answer(200, {});
    show(Password, async () => ({}));
    type(words.old, 'old words');
    type(words.new, 'short');
    submit();
    await eventually(() => expect(page()).toContain(words.short));
    expect(fetch).not.toHaveBeenCalled();
  });

  test('needs the current one, and says at its field if it was wrong', async () => {
    answer(401, { code: 'wrong_credentials', detail: 'The name or the password is wrong.' });
    show(Password, async () => ({}));
    const old = type(words.old, 'a guess');
    type(words.new, 'three new words');
    submit();
    await eventually(() => expect(page()).toContain(words.wrong));
    expect(document.activeElement).toBe(old);
    expect(page()).not.toContain('The name or the password is wrong.');
    type(words.old, 'another guess');
    expect(page()).not.toContain(words.wrong);
  });

  test('is cleared from the form after the change', async () => {
    answer(200, {});
    show(Password, async () => ({}));
    const old = type(words.old, 'old words');
    const fresh = type(words.new, 'three new words');
    submit();
    await eventually(() => expect(liveRegion.polite).toBe(words.changed));
    expect([old.value, fresh.value]).toEqual(['', '']);
  });
});

describe('the server', () => {
  const radio = (value: string) =>
    document.querySelector<HTMLInputElement>(`input[value=${value}]`)!;

  test('saves immediately who may join', async () => {
    const ask = vi.fn<Ask>(async () => ({}));
    show(Server, ask);
    radio('closed').click();
    await eventually(() => expect(liveRegion.polite).toBe(en.saved));
    expect(ask).toHaveBeenCalledExactlyOnceWith('update_server', { registration: 'closed' });
    expect(radio('closed').checked).toBe(true);
  });

  test('shows the unchanged value after a refusal, and that the operator has fixed it', async () => {
    show(Server, async () => {
      throw new Refused({ code: 'conflict', message: 'The operator has set it.' });
    });
    radio('closed').click();
    await eventually(() => expect(page()).toContain(en.server.byOperator));
    flushSync();
    expect(radio('open').checked).toBe(true);
    expect(radio('open').disabled).toBe(true);
    expect(document.querySelector<HTMLInputElement>('[role=switch]')?.disabled).toBe(false);
  });
});

test('a QR code has a quiet zone and a label', () => {
  const text = 'https://chat.example.org/join/3f2a9c';
  mounted = mount(QrCode, { target: document.body, props: { text, label: 'QR code' } });
  const svg = document.querySelector('svg[role=img]');
  expect(svg?.getAttribute('aria-label')).toBe('QR code');
  const [x, y, width, height] = (svg?.getAttribute('viewBox') ?? '').split(' ').map(Number);
  expect([x, y]).toEqual([-4, -4]);
  expect(width).toBe(height);
  expect((width! - 8 - 17) % 4).toBe(0);
  expect(svg?.querySelector('path')?.getAttribute('d')).toMatch(/^M[\d LMZ]+$/);
});
