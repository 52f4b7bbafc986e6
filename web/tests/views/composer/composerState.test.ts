// @vitest-environment jsdom
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { loadMode, loadText, saveMode, saveText } from '../../../src/drafts/local';
import { countDrafts, eraseDrafts } from '../../../src/data/storage/local';
import { removeInvalidCharacters, countCodePoints } from '../../../src/views/composer/composerState.svelte';

// As in hubbub/model/messages.py.
const FORBIDDEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]|\p{Cs}/u;

describe('the sent text', () => {
  test('lacks the characters that the server refuses, and no others', () => {
    expect(removeInvalidCharacters('a\tb\nc\0\x1b\x7f\ud83d 🎉 é e\u0301 \u200d')).toBe('a\tb\nc 🎉 é e\u0301 \u200d');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(FORBIDDEN.test(removeInvalidCharacters(text))).toBe(false);
        expect(removeInvalidCharacters(removeInvalidCharacters(text))).toBe(removeInvalidCharacters(text));
      }),
    );
  });

  test('is counted as the server does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(countCodePoints(text)).toBe([...text].length);
      }),
    );
  });
});

describe('a draft', () => {
  beforeEach(() => {
    localStorage.clear();
    sessionStorage.clear();
  });

  test('is stored separately per person, room and message', () => {
    saveText('ana', 'tea', null, 'a draft');
    saveText('ana', 'tea', 7, 'an edit');
    expect(loadText('ana', 'tea', null)).toBe('a draft');
    expect(loadText('ana', 'tea', 7)).toBe('an edit');
    expect(loadText('ana', 'tea', 8)).toBe('');
    expect(loadText('ana', 'lobby', null)).toBe('');
    expect(loadText('bo', 'tea', null)).toBe('');
    saveText('ana', 'tea', 7, '');
    expect(loadText('ana', 'tea', null)).toBe('a draft');
    expect(countDrafts('ana')).toBe(1);
  });

  test('is erased with its person', () => {
    saveText('ana', 'tea', null, 'a draft');
    saveText('ana', 'tea', 7, 'an edit');
    saveText('bo', 'tea', null, 'of another');
    eraseDrafts('ana');
    expect(Object.keys(localStorage)).toHaveLength(1);
  });

  test('keeps its mode: reply or edit', () => {
    saveMode('ana', 'tea', { mode: 'reply', seq: 41 });
    expect(loadMode('ana', 'tea')).toEqual({ mode: 'reply', seq: 41 });
    expect(loadMode('ana', 'lobby')).toEqual({ mode: 'write' });
    saveMode('ana', 'tea', { mode: 'write' });
    expect(loadMode('ana', 'tea')).toEqual({ mode: 'write' });
  });
});
