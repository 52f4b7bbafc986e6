/** What a message's text is made of. There is never a string of HTML. */

/** What a text without markup is made of; `text` is as it was typed, line breaks are line feeds. */
export type Piece =
  | { is: 'text'; text: string }
  /** An http, https or mailto address. */
  | { is: 'address'; text: string; href: string }
  /** The handle as the server keeps it; whether there is such a person is not known here. */
  | { is: 'mention'; text: string; name: string }
  | { is: 'room'; text: string; room: string };

export type Inline =
  | Piece
  | { is: 'code'; text: string }
  | { is: 'strong'; children: Inline[] }
  | { is: 'em'; children: Inline[] }
  | { is: 'del'; children: Inline[] }
  /** Covered until somebody wants to see it. */
  | { is: 'spoiler'; children: Inline[] }
  | { is: 'link'; href: string; children: Inline[] };

export interface Paragraph {
  is: 'paragraph';
  inlines: Inline[];
}

export type Align = 'left' | 'center' | 'right' | null;

export interface Item {
  /** Null: not a task. */
  done: boolean | null;
  blocks: Block[];
}

export type Block =
  | Paragraph
  | { is: 'heading'; level: number; inlines: Inline[] }
  | { is: 'quote'; blocks: Block[] }
  | { is: 'list'; start: number | null; items: Item[] }
  /** `whole` is what it is a part of, if there is more of it than is shown at once. */
  | { is: 'code'; language: string; text: string; whole?: string }
  | { is: 'table'; align: Align[]; header: Inline[][]; rows: Inline[][][] }
  | { is: 'rule' };
