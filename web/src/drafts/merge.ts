/**
 * One draft, written on several devices: what to show when another one has changed it. Pure.
 *
 * Whatever was typed is somewhere in what comes out: a text only gives way to one that was made
 * from it. Where both went on from the same, both stay, one below the other.
 */

/** What a device knows of a draft that others may write as well. */
export interface KnownDraft {
  /** As the server had it when this device last heard of it: what is here was made from that. */
  readonly base: string;
  /** What another device wrote while somebody typed here; it comes below once they rest. */
  readonly aside: string;
}

export const UNKNOWN: KnownDraft = { base: '', aside: '' };

export interface Outcome {
  readonly known: KnownDraft;
  /** What is to stand in the composer. */
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

/** The server has what this device had sent. */
export const onOwn = (known: KnownDraft, sent: string): KnownDraft => ({ ...known, base: sent });

/** Another device changed the draft; who `isTyping` here keeps their text as it is. */
export function onTheirs(known: KnownDraft, mine: string, theirs: string, isTyping: boolean): Outcome {
  if (theirs === known.base) return { known, text: mine };
  const text = mergeTexts(known.base, mine, theirs);
  // What they had before, and went on from, is in what they have now, or was meant to go.
  const aside = known.aside === known.base ? '' : known.aside;
  const isInterrupting = isTyping && text !== mine && mine !== known.base;
  if (!isInterrupting) return { known: { base: theirs, aside }, text };
  return { known: { base: theirs, aside: joinTexts(aside, theirs) }, text: mine };
}

/** Nobody types here any more. */
export function onIdle(known: KnownDraft, mine: string): Outcome {
  return { known: { ...known, aside: '' }, text: joinTexts(mine, known.aside) };
}

/** Whether the server is to hear of it. With something aside, they would not see what they wrote. */
export const needsSending = (known: KnownDraft, mine: string): boolean =>
  known.aside === '' && mine !== known.base;
