import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzy, matchedParts } from '../../src/directory/fuzzy';

/** The text with the matched parts in brackets; null: no match. */
function marked(text: string, typed: string): string | null {
  const match = fuzzy(text, typed);
  if (!match) return null;
  return matchedParts(text, match)
    .map((piece) => (piece.isMarked ? `[${piece.text}]` : piece.text))
    .join('');
}

function best(typed: string, ...texts: string[]): string | undefined {
  const scores = texts.map((text) => ({ text, score: fuzzy(text, typed)?.score ?? -Infinity }));
  return scores.sort((a, b) => b.score - a.score)[0]?.text;
}

describe('fuzzy search', () => {
  test('finds the query as one piece anywhere', () => {
    expect(marked('Project garden', 'garden')).toBe('Project [garden]');
    expect(marked('Project garden', 'ject g')).toBe('Pro[ject g]arden');
  });

  test('finds beginnings of words', () => {
    expect(marked('Project garden', 'pg')).toBe('[P]roject [g]arden');
    expect(marked('Project garden', 'prgar')).toBe('[Pr]oject [gar]den');
    expect(marked('releaseNotes', 'rn')).toBe('[r]elease[N]otes');
  });

  test('ignores case, accents, and a leading # or @', () => {
    expect(marked('Café Zürich', 'cafe zur')).toBe('[Café Zür]ich');
    expect(marked('lobby', '#LOB')).toBe('[lob]by');
    expect(marked('Ana', '@ana')).toBe('[Ana]');
  });

  test('finds nothing if letters are missing, in another order, or scattered', () => {
    expect(marked('lobby', 'lobx')).toBeNull();
    expect(marked('lobby', 'ybl')).toBeNull();
    expect(marked('documentation of everything', 'ug')).toBeNull();
  });

  test('ranks the better match first', () => {
    expect(best('design', 'Redesign', 'Design', 'Design review')).toBe('Design');
    expect(best('des', 'Redesign', 'Team design', 'Design')).toBe('Design');
    expect(best('pg', 'Piggy', 'Project garden')).toBe('Project garden');
  });

  test('an empty query finds everything, without marks', () => {
    expect(marked('lobby', '')).toBe('lobby');
    expect(marked('lobby', ' # ')).toBe('lobby');
  });

  test('for any query, the parts make up the text, and the marked ones are the letters of the query', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.string({ maxLength: 6 }), (text, typed) => {
        const match = fuzzy(text, typed);
        if (!match) return;
        expect(matchedParts(text, match).map((piece) => piece.text).join('')).toBe(text);
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z ]{1,40}$/), fc.nat(), fc.nat(), (text, a, b) => {
        const typed = text.slice(a % text.length, (b % text.length) + 1).trim();
        if (typed === '') return;
        expect(marked(text, typed)).toContain(`[${typed}]`);
      }),
    );
  });
});
