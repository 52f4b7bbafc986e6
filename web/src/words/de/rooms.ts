import type { Words } from '../en';

export const rooms: Words['rooms'] = {
  skip: 'Zum Gespräch springen',
  list: 'Räume und Personen',
  roomRegion: 'Raum',
  unknown: 'Dieser Raum gehört nicht zu deinen. Vielleicht kannst du ihm beitreten, oder es gibt ihn nicht mehr.',
  join: 'Beitreten',
  browse: 'Räume ansehen',
};
