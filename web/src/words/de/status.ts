import type { Words } from '../en';

export const status: Words['status'] = {
  reconnecting: 'Verbindung wird wiederhergestellt …',
};
