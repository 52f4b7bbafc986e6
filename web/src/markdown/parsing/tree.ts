/** The parsed text of a message. There is never a string of HTML. */

/** The pieces of a text without markup; `text` is as typed, line breaks are line feeds. */
export type Piece =
  | { is: 'text'; text: string }
  /** An http, https or mailto address. */
  | { is: 'address'; text: string; href: string }
  /** The handle in the server's form; it is not known here whether the person exists. */
  | { is: 'mention'; text: string; name: string }
  | { is: 'room'; text: string; room: string };

export type Inline =
  | Piece
  | { is: 'code'; text: string }
  | { is: 'strong'; children: Inline[] }
  | { is: 'em'; children: Inline[] }
  | { is: 'del'; children: Inline[] }
  /** Hidden until somebody opens it. */
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
  /** `whole` is the complete block if only a part of it is shown. */
  | { is: 'code'; language: string; text: string; whole?: string }
  | { is: 'table'; align: Align[]; header: Inline[][]; rows: Inline[][][] }
  | { is: 'rule' };
