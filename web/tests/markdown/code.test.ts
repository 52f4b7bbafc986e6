import { describe, expect, test } from 'vitest';
import tokens from '../../src/styles/tokens.css?raw';
import { highlight } from '../../src/markdown/highlight';
import codeBlock from '../../src/markdown/CodeBlock.svelte?raw';
import { filled } from './hostile';
import { triesOf } from '../support/tries';

/** WCAG 2.2's contrast ratio of two colours `#rrggbb`. */
function contrast(one: string, other: string): number {
  const luminance = (hex: string) => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const value = parseInt(hex.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const TEXT_MAX = 16_000;

describe('code', () => {
  test('has enough contrast in every colour, in light and dark', () => {
    const surface = /--surface-3: light-dark\((#\w+), (#\w+)\)/.exec(tokens) ?? [];
    const used = [...codeBlock.matchAll(/--code-(\w+): light-dark\((#\w+), (#\w+)\)/g)];
    expect(used.length).toBeGreaterThan(5);
    for (const [, name, light = '', dark = ''] of used) {
      expect(contrast(light, surface[1] ?? ''), `${name}, light`).toBeGreaterThanOrEqual(4.5);
      expect(contrast(dark, surface[2] ?? ''), `${name}, dark`).toBeGreaterThanOrEqual(4.5);
    }
  });

  test('is highlighted, and its text stays the same', () => {
    const code = 'def f(n: int) -> str:\n    return "x"  # 42';
    const runs = highlight('python', code) ?? [];
    expect(runs.map(({ text }) => text).join('')).toBe(code);
    const kinds = new Map(runs.map(({ kind, text }) => [text.trim(), kind]));
    expect(kinds.get('def')).toBe('keyword');
    expect(kinds.get('"x"')).toBe('string');
    expect(kinds.get('# 42')).toBe('comment');
  });

  test('in an unknown language, or too long, is not highlighted', () => {
    expect(highlight('klingon', 'a')).toBe(null);
    expect(highlight('constructor', 'a')).toBe(null);
    expect(highlight('python', 'a'.repeat(TEXT_MAX))).toBe(null);
  });

  test('needs limited work, whatever it contains', () => {
    let most = 0;
    for (const language of ['bash', 'cpp', 'css', 'javascript', 'python', 'sql', 'xml', 'yaml', 'diff']) {
      for (const bit of ['(', '<', '"', '/*', '{', 'a ', '${', '=', '- ', 'a:', '\\']) {
        const tries = triesOf(() => expect(highlight(language, filled(bit, 4_000))).not.toBe(null));
        expect(tries, `${language} ${bit}`).toBeLessThan(30_000);
        most = Math.max(most, tries);
      }
    }
    // Checks that tries are counted at all.
    expect(most).toBeGreaterThan(1_000);
  });
});
