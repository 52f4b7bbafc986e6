/**
 * Validation of the forms before they are sent. The server's rules (`hubbub/model/names.py`) decide.
 */

import { countCodePoints } from '../../app/submission.svelte';
import type { SignInWords } from '../../words/en/signIn';

const NAME_MAX = 32;
const DISPLAY_NAME_MAX = 64;
const SERVER_NAME_MAX = 60;
const PASSWORD_MIN = 8;

type Sentence = {
  [Key in keyof SignInWords]: SignInWords[Key] extends string ? Key : never;
}[keyof SignInWords];

/** The key of the sentence that says what is wrong; null: nothing found. */
export type Problem = Sentence | null;

/**
 * The form in which the server stores a name. Case folding differs from lower case in these two
 * letters.
 */
export function toHandle(typed: string): string {
  const folded = typed.trim().normalize('NFKC').toLowerCase();
  return folded.replaceAll('ß', 'ss').replaceAll('ς', 'σ').normalize('NFKC');
}

export function nameProblem(typed: string): Problem {
  const name = toHandle(typed);
  if (name === '') return 'nameMissing';
  if (!/^[\p{L}\p{N}\p{M}._-]+$/u.test(name)) return 'nameCharacters';
  if (countCodePoints(name) > NAME_MAX) return 'nameLong';
  if (/^[\p{M}._-]|[._-]$/u.test(name)) return 'nameEdges';
  return null;
}

export function passwordProblem(password: string): Problem {
  return countCodePoints(password) < PASSWORD_MIN ? 'passwordShort' : null;
}

export function displayNameProblem(typed: string): Problem {
  return countCodePoints(typed.trim()) > DISPLAY_NAME_MAX ? 'shownAsLong' : null;
}

/** Its sentences belong to the words of the setup. */
export function serverNameProblem(typed: string): 'serverNameMissing' | 'serverNameLong' | null {
  if (typed.trim() === '') return 'serverNameMissing';
  return countCodePoints(typed.trim()) > SERVER_NAME_MAX ? 'serverNameLong' : null;
}
