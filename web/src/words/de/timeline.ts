import type { Words } from '../en';

export const timeline: Words['timeline'] = {
  messages: 'Nachrichten',
  newMessages: 'Neu',
  edited: 'bearbeitet',
  editedAt: (when) => `Bearbeitet: ${when}`,
  deleted: 'Diese Nachricht wurde gelöscht.',
  beginning: (room) => `Hier beginnt #${room}`,
  beginningWith: (people) => `Hier beginnt dein Gespräch mit ${people}`,
  more: 'Weitere Aktionen',
};
