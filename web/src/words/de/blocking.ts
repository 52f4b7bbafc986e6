import type { BlockingWords } from '../en/blocking';

export const blocking: BlockingWords = {
  region: 'Wer dich hinzugefügt hat',
  addedBy: (name) => `Hinzugefügt von ${name}`,
  startedBy: (name) => `${name} hat dieses Gespräch begonnen`,
  leave: 'Verlassen',
  hide: 'Ausblenden',
  stay: 'Hier bleiben',

  block: 'Blockieren',
  blockPerson: (name) => `${name} blockieren`,
  blockTitle: (name) => `${name} blockieren?`,
  blockText: (name) =>
    `${name} kann dich dann nicht mehr zu Räumen hinzufügen, dir nicht mehr direkt schreiben und erfährt davon nichts. In gemeinsamen Räumen ändert sich nichts.`,
  alsoLeaves: 'Du verlässt damit auch diesen Raum.',
  alsoHides: 'Auch das Gespräch wird ausgeblendet.',
  blockAndLeave: 'Blockieren und verlassen',
  blocked: (name) => `${name} ist blockiert. In den Einstellungen kannst du das aufheben.`,
  unblock: 'Nicht mehr blockieren',
  unblockPerson: (name) => `${name} nicht mehr blockieren`,
  unblocked: (name) => `${name} ist nicht mehr blockiert`,

  hint: 'Diese Personen können dich nicht zu Räumen hinzufügen und dir nicht direkt schreiben. Auch du kannst sie nicht hinzufügen oder ihnen direkt schreiben. Sie erfahren nichts davon.',
  none: 'Du hast niemanden blockiert.',
};
