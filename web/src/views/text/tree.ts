/** What a message's text is made of. There is never a string of HTML. */

export type Inline =
  /** Line breaks are line feeds. */
  | { is: 'text'; text: string }
  | { is: 'code'; text: string }
  | { is: 'span'; tag: 'strong' | 'em' | 'del'; children: Inline[] }
  /** An http, https or mailto address. */
  | { is: 'link'; href: string; children: Inline[] }
  /** The handle as the server keeps it; whether there is such a person is not known here. */
  | { is: 'mention'; name: string; typed: string }
  | { is: 'room'; room: string; typed: string };

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
  | { is: 'code'; language: string; text: string }
  | { is: 'table'; align: Align[]; header: Inline[][]; rows: Inline[][][] }
  | { is: 'rule' };
