/**
 * Merging a draft that is written on several devices. Pure.
 *
 * No typed text is lost: a text is replaced only by one that was made from it. If two devices continued
 * from the same text, both results stay, one below the other.
 */

/** What a device knows about the server's copy of a draft. */
export interface KnownDraft {
  /** The server's text when this device last received it; the local text was made from it. */
  readonly base: string;
  /** What another device wrote while the user was typing here; it is appended when they pause. */
  readonly aside: string;
}

export const UNKNOWN: KnownDraft = { base: '', aside: '' };

export interface Outcome {
  readonly known: KnownDraft;
  /** The text that the composer should show. */
  readonly text: string;
}

export function joinTexts(first: string, second: string): string {
  if (first.includes(second)) return first;
  return second.includes(first) ? second : `${first}\n${second}`;
}

export function mergeTexts(base: string, mine: string, theirs: string): string {
  if (theirs === base) return mine;
  return mine === base ? theirs : joinTexts(mine, theirs);
}

/** The server has stored what this device sent. */
export const onOwn = (known: KnownDraft, sent: string): KnownDraft => ({ ...known, base: sent });

/** Another device changed the draft. If the user `isTyping` here, their text stays as it is. */
export function onTheirs(known: KnownDraft, mine: string, theirs: string, isTyping: boolean): Outcome {
  if (theirs === known.base) return { known, text: mine };
  const text = mergeTexts(known.base, mine, theirs);
  // The other device's earlier text is part of its new one, or was deleted on purpose.
  const aside = known.aside === known.base ? '' : known.aside;
  const isInterrupting = isTyping && text !== mine && mine !== known.base;
  if (!isInterrupting) return { known: { base: theirs, aside }, text };
  return { known: { base: theirs, aside: joinTexts(aside, theirs) }, text: mine };
}

/** Nobody is typing here any more. */
export function onIdle(known: KnownDraft, mine: string): Outcome {
  return { known: { ...known, aside: '' }, text: joinTexts(mine, known.aside) };
}

/**
 * Whether the draft should be sent. Not while another text waits aside: the other device would not see
 * its own text any more.
 */
export const needsSending = (known: KnownDraft, mine: string): boolean =>
  known.aside === '' && mine !== known.base;
