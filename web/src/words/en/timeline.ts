/** What every message shows; the words of its actions are in `message.ts`. */

export const timeline = {
  messages: 'Messages',
  newMessages: 'New',
  edited: 'edited',
  editedAt: (when: string) => `Edited on ${when}`,
  deleted: 'This message was deleted.',
  beginning: (room: string) => `This is the beginning of #${room}`,
  beginningWith: (people: string) => `This is the beginning of your conversation with ${people}`,
  more: 'More actions',
};
