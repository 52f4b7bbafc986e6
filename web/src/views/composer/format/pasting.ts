/** Handling pasted text. */

import type { TextSelection } from './textEdit';
import { fenceAround } from './fences';
import { isAddress, isLink, withLink } from './link';
import { isDelimited } from './delimiters';

/** An address pasted over selected words makes them a link; null: paste it as it is. */
export function pasteLink(draft: TextSelection, pasted: string): TextSelection | null {
  const address = pasted.trim();
  const chosen = draft.text.slice(draft.start, draft.end).trim();
  if (!isAddress(address) || chosen === '' || isAddress(chosen)) return null;
  // A label cannot cross paragraphs.
  if (/\n\s*\n/.test(chosen)) return null;
  if (isLink(draft) || isDelimited('`', draft) || fenceAround(draft)) return null;
  return withLink(draft, address);
}

/** Typical beginnings of lines of code. */
const BEGINNINGS = [
  /^(?:#!|#include\b|\$ \w|\/\/|\/\*|<\/?[a-z!])/,
  /^@\w+[\w.]*(?:\(|$)/,
  /^(?:(?:export|async|public|private|static|pub) )*(?:def|function|func|fn)\s+[\w*<].*\(/,
  /^(?:(?:export|public|private|static|pub) )*(?:class|struct|enum|interface|impl|namespace)\s.*[:{]$/,
  /^(?:export )?(?:const|let|var|int|void)\s+[\w*{[].*[=;({]/,
  /^(?:import\s+(?:[\w.]+(?: as \w+)?;?$|[{*"'(\w].* from |["'(])|from\s+\S+\s+import\s)/,
  /^(?:if|for|while|switch|elif|else if|catch|with)\s*\(?.*[:{]$/,
  /^(?:else|try|finally|do|then|fi|done|esac)\b[:{]?$/,
  /^(?:sudo|cd|npm|npx|pip|docker|apt|apt-get|curl|chmod|mkdir|cargo) [\w./"'$-]+/,
  /^git (?:add|branch|checkout|clone|commit|fetch|init|log|merge|pull|push|rebase|status|switch)\b/,
  /^(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\s/,
];
/** Characters that are unusual in sentences, at the end or anywhere. */
const SIGNS = [
  /[;{}]$|[)\]}],?$/,
  /=>|->|::|[!=]==?|&&|\|\||\w\(\)/,
  /^[\w.[\]]+ [+*/-]?= \S/,
  /^"[^"]+": |^<\/?\w[^>]*>/,
];
const INDENTED = /^(?:\t| {2,})\S/;
const LISTED = /^\s*(?:[-*+>]|\d{1,9}[.)])\s/;

/** The beginning is enough to tell. */
const LOOKED_AT = 200;

/** Several lines, most of which do not look like sentences. This is a guess, so it is only offered. */
export function looksLikeCode(text: string): boolean {
  const lines = text.split('\n').filter((line) => line.trim() !== '').slice(0, LOOKED_AT);
  if (lines.length < 2 || text.length > 16_000 || /^ {0,3}(?:```|~~~)/m.test(text)) return false;
  const isSome = lines.some(isStrong);
  const isHinted = (line: string) => isStrong(line) || (INDENTED.test(line) && !LISTED.test(line));
  const hinted = lines.filter(isHinted).length;
  return isSome && hinted >= 2 && hinted * 2 >= lines.length;
}

function isStrong(line: string): boolean {
  const bare = line.trim();
  if (BEGINNINGS.some((sign) => sign.test(bare))) return true;
  return !LISTED.test(line) && !/[.!?]$/.test(bare) && SIGNS.some((sign) => sign.test(bare));
}

const LANGUAGES: [language: string, sign: RegExp][] = [
  ['bash', /^(?:#!.*\b(?:ba|z)?sh\b|\$ \w)/],
  ['python', /^(?:#!.*\bpython|(?:async )?def \w+\(.*:$|class \w+.*:$|from [\w.]+ import )/m],
  ['sql', /^(?:SELECT|INSERT INTO|CREATE TABLE)\s/i],
  ['diff', /^(?:diff --git|@@ -\d)/m],
  ['html', /^<(?:!doctype html|html|div|p|a|script)\b/i],
  ['javascript', /^(?:(?:export )?(?:const|let|function|async function) \w|import .* from ['"])/m],
];

/** Only if it is obvious; otherwise an empty string. */
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
