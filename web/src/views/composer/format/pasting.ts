/** What is done with text that is pasted. */

import type { Draft } from './draft';
import { fenceAround } from './fences';
import { isAddress, isLink, linked } from './link';
import { isMarked } from './marks';

/** An address over selected words makes them a link; null: it is pasted as it is. */
export function pastedOver(draft: Draft, pasted: string): Draft | null {
  const address = pasted.trim();
  const chosen = draft.text.slice(draft.start, draft.end).trim();
  if (!isAddress(address) || chosen === '' || isAddress(chosen) || /\n\s*\n/.test(chosen)) return null;
  if (isLink(draft) || isMarked('`', draft) || fenceAround(draft)) return null;
  return linked(draft, address);
}

/** At the beginning of a line. */
const BEGINS =
  /^(?:#!|\$ \w|@\w+[\w.]*(?:\(|$)|<\/?[a-z!]|\/\/|\/\*|(?:export |async |public |private |static |pub )*(?:def|class|function|func|fn|const|let|var|struct|enum|interface|impl|package|namespace|void|int)\s+[\w*<]|(?:import|from|using|#include|require)\s+[\w"'<{*.]|(?:if|for|while|switch|elif|else if|catch|with)\s*\(?.*[:{]$|(?:return|raise|throw|yield|await)\b.*[;)\w]$|(?:else|try|finally|do|then|fi|done|esac)\b[:{]?$|(?:sudo|cd|echo|git|npm|npx|pip|docker|apt|apt-get|make|curl|chmod|mkdir|cargo|go) [\w./"'$-]|(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\s)/;
/** At its end, or anywhere: signs that sentences do not have. */
const SIGNS = /[;{}]$|[)\]}],?$|=>|->|::|[!=]==?|&&|\|\||\w\(\)|^[\w.[\]]+ [+*/-]?= \S|^"[^"]+": |^<\/?\w[^>]*>/;
const INDENTED = /^(?:\t| {2,})\S/;
const LISTED = /^\s*(?:[-*+>]|\d{1,9}[.)])\s/;

/** Several lines, most of which look like no sentence; a guess, so it is only ever offered. */
export function looksLikeCode(text: string): boolean {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length < 2 || text.length > 16_000 || /^\s*(?:```|~~~)/m.test(text)) return false;
  const code = lines.filter(isStrong).length;
  const hinted = lines.filter((line) => isStrong(line) || (INDENTED.test(line) && !LISTED.test(line)));
  return code > 0 && hinted.length >= 2 && hinted.length * 2 >= lines.length;
}

function isStrong(line: string): boolean {
  const bare = line.trim();
  return BEGINS.test(bare) || (SIGNS.test(bare) && !LISTED.test(line) && !/[.!?]$/.test(bare));
}

const LANGUAGES: [language: string, sign: RegExp][] = [
  ['bash', /^(?:#!.*\b(?:ba|z)?sh\b|\$ \w)/],
  ['python', /^(?:#!.*\bpython|(?:async )?def \w+\(.*:$|class \w+.*:$|from [\w.]+ import )/m],
  ['sql', /^(?:SELECT|INSERT INTO|CREATE TABLE)\s/i],
  ['diff', /^(?:diff --git|@@ -\d)/m],
  ['html', /^<(?:!doctype html|html|div|p|a|script)\b/i],
  ['javascript', /^(?:(?:export )?(?:const|let|function|async function) \w|import .* from ['"])/m],
];

/** Only where it is plain to see; else nothing. */
export function languageOf(code: string): string {
  const text = code.trim();
  if (/^[[{]/.test(text) && isJson(text)) return 'json';
  return LANGUAGES.find(([, sign]) => sign.test(text))?.[0] ?? '';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
