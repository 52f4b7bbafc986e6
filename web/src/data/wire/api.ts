/** The HTTP requests that create or end a session. No script can read the cookie they set. */

import type { Fields, Me, Mine, Ok, ServerInfo } from './protocol';
import { Refused, Unreachable, type Refusal } from './errors';

interface Problem extends Partial<Refusal> {
  title?: string;
  detail?: string;
}

function call<T>(method: string, path: string, body: object): Promise<T> {
  const headers = { 'Content-Type': 'application/json' };
  return read(fetch(path, { method, headers, body: JSON.stringify(body) }));
}

async function read<T>(request: Promise<Response>): Promise<T> {
  const response = await reach(request);
  if (response.ok) return (await response.json()) as T;
  throw toRefused(response, await response.json().catch(() => ({})) as Problem);
}

async function reach(request: Promise<Response>): Promise<Response> {
  try {
    return await request;
  } catch (error) {
    throw new Unreachable(error);
  }
}

function toRefused(response: Response, problem: Problem): Refused {
  return new Refused({
    code: problem.code ?? `http_${response.status}`,
    message: problem.detail ?? problem.title ?? response.statusText,
    retry_after: problem.retry_after ?? null,
  });
}

// The page may already have started these requests.
export const fetchServerInfo = (request = fetch('/api/about')) => read<ServerInfo>(request);
export const fetchMe = (request = fetch('/api/me')) => read<Mine>(request);

export interface NewAccount {
  name: string;
  password: string;
  display_name?: string;
  invite?: string;
}

export const signUp = (account: NewAccount) => call<{ me: Me }>('POST', '/api/sign-up', account);
export const signIn = (name: string, password: string) =>
  call<{ me: Me }>('POST', '/api/sign-in', { name, password });
export const signInAsGuest = (name?: string) => call<{ me: Me }>('POST', '/api/guest', name ? { name } : {});
export const signOut = () => call<unknown>('POST', '/api/sign-out', {});
export const changePassword = (old: string, fresh: string) =>
  call<unknown>('PUT', '/api/me/password', { old, new: fresh });

// For a new owner, who sets up the server before there is a socket.
export const updateServer = (fields: Fields<'update_server'>) =>
  call<ServerInfo>('PATCH', '/api/server', fields);
export const createInvite = (fields: Fields<'create_invite'>) =>
  call<Ok<'create_invite'>>('POST', '/api/invites', fields);
