/** Counts how often patterns are tried, which is what the lexer's time depends on. */
export function triesOf(work: () => void): number {
  let tries = 0;
  const { exec, test: tests } = RegExp.prototype;
  RegExp.prototype.exec = function (text) {
    tries += 1;
    return exec.call(this, text);
  };
  RegExp.prototype.test = function (text) {
    tries += 1;
    return exec.call(this, text) !== null;
  };
  try {
    work();
  } finally {
    Object.assign(RegExp.prototype, { exec, test: tests });
  }
  return tries;
}
