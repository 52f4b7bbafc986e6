/** The error codes of `docs/protocol.md`. */
export type ErrorCode =
  | 'malformed'
  | 'unknown_command'
  | 'sign_in_required'
  | 'wrong_credentials'
  | 'forbidden'
  | 'not_member'
  | 'wrong_origin'
  | 'registration_closed'
  | 'invite_required'
  | 'invite_invalid'
  | 'not_found'
  | 'name_taken'
  | 'conflict'
  | 'last_owner'
  | 'too_large'
  | 'wrong_host'
  | 'invalid'
  | 'rate_limited'
  | 'quota_reached'
  | 'too_many_connections'
  | 'internal'
  | 'busy'
  | 'unavailable';

export const errors = {
  disconnected: 'The connection is lost. Try again in a moment.',
  unreachable: 'The server cannot be reached. Check your connection and try again.',
  unexpected: 'Something went wrong. Try again.',
  /** Empty in English, where the server's own sentence is shown, which is more precise. */
  codes: {} as Partial<Record<ErrorCode, string>>,
};
