import { describe, expect, test } from 'vitest';
import {
  displayNameProblem,
  toHandle,
  nameProblem,
  passwordProblem,
  serverNameProblem,
} from '../../../src/views/signIn/check';
import { explainAttempt } from '../../../src/views/signIn/rateLimit';
import { Refused } from '../../../src/data/wire/errors';

describe('a name', () => {
  test.each([
    ['Ana', 'ana'],
    [' bo ', 'bo'],
    ['Ｆｕｌｌ', 'full'],
    ['Straße', 'strasse'],
    ['ΟΔΟΣ', 'οδοσ'],
    ['İnci', 'i̇nci'],
  ])('%s becomes %s, as on the server', (typed, handle) => {
    expect(toHandle(typed)).toBe(handle);
  });

  test.each(['a', 'ana.b-c_9', 'Zoë', '李雷', 'मीरा', 'x'.repeat(32)])('%s is valid', (name) => {
    expect(nameProblem(name)).toBeNull();
  });

  test.each([
    ['', 'nameMissing'],
    ['   ', 'nameMissing'],
    ['ana maria', 'nameCharacters'],
    ['ana@home', 'nameCharacters'],
    ['ana\u200bb', 'nameCharacters'],
    ['👩', 'nameCharacters'],
    ['.ana', 'nameEdges'],
    ['ana-', 'nameEdges'],
    ['\u0301ana', 'nameEdges'],
    ['x'.repeat(33), 'nameLong'],
  ])('“%s” is not valid: %s', (name, problem) => {
    expect(nameProblem(name)).toBe(problem);
  });
});

test('lengths are counted in code points, as on the server', () => {
  expect(passwordProblem('1234567')).toBe('passwordShort');
  expect(passwordProblem('🔑'.repeat(7))).toBe('passwordShort');
  expect(passwordProblem('        ')).toBeNull();
  expect(displayNameProblem('')).toBeNull();
  expect(displayNameProblem('🦊'.repeat(64))).toBeNull();
  expect(displayNameProblem('x'.repeat(65))).toBe('shownAsLong');
  expect(serverNameProblem('  ')).toBe('serverNameMissing');
  expect(serverNameProblem('x'.repeat(61))).toBe('serverNameLong');
  expect(serverNameProblem('Rowing club')).toBeNull();
});

test.each([
  [0.4, 'Wait 1 second,'],
  [75, 'Wait 75 seconds,'],
  [91, 'Wait 2 minutes,'],
  [3600, 'Wait 60 minutes,'],
])('after too many attempts, says how long to wait: %d s', (retry_after, told) => {
  const refused = new Refused({ code: 'rate_limited', message: 'Too many attempts.', retry_after });
  expect(explainAttempt(refused)).toContain(told);
});
