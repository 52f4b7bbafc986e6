import type { Words } from '../en';
import type { ErrorCode } from '../en/errors';

const codes: Record<ErrorCode, string> = {
  malformed: 'Der Server hat die Anfrage nicht verstanden. Lade die Seite neu.',
  unknown_command: 'Der Server kennt diesen Befehl nicht. Lade die Seite neu.',
  sign_in_required: 'Melde dich an.',
  wrong_credentials: 'Name oder Passwort ist falsch.',
  forbidden: 'Das darfst du hier nicht. Ein Admin dieses Servers kann dir helfen.',
  not_member: 'Tritt dem Raum zuerst bei.',
  wrong_origin: 'Die Anfrage kam von einer fremden Seite und wurde abgelehnt. Prüfe die Adresse im Browser.',
  registration_closed: 'Dieser Server nimmt keine neuen Konten an.',
  invite_required: 'Für ein neues Konto brauchst du eine Einladung. Bitte einen Admin dieses Servers um einen Link.',
  invite_invalid: 'Diese Einladung gilt nicht mehr. Bitte um eine neue.',
  not_found: 'Das gibt es hier nicht, oder du darfst es nicht sehen.',
  name_taken: 'Dieser Name ist vergeben oder einem vergebenen zu ähnlich. Nimm einen anderen.',
  conflict: 'Das ist im Moment nicht möglich. Vielleicht hat sich inzwischen etwas geändert: Lade die Seite neu.',
  last_owner: 'Gib zuerst noch jemandem die Rolle „Eigentümer:in“.',
  too_large: 'Der Text ist zu lang. Kürze ihn.',
  wrong_host: 'Dieser Server hat eine andere Adresse. Prüfe die Adresse im Browser.',
  invalid: 'Diese Eingabe ist nicht erlaubt. Ändere sie und versuche es noch einmal.',
  rate_limited: 'Das war zu oft hintereinander. Warte einen Augenblick und versuche es noch einmal.',
  quota_reached:
    'Mehr geht auf diesem Server nicht. Entferne etwas, das du nicht mehr brauchst, oder mach morgen weiter.',
  too_many_connections: 'Zu viele Verbindungen. Schließe einige Fenster.',
  internal: 'Auf dem Server ist etwas schiefgegangen. Versuche es noch einmal.',
  busy: 'Der Server hat gerade zu viel zu tun. Versuche es gleich noch einmal.',
  unavailable: 'Der Server kann gerade nicht speichern. Versuche es gleich noch einmal.',
};

export const errors: Words['errors'] = {
  disconnected: 'Die Verbindung ist unterbrochen. Versuche es gleich noch einmal.',
  unreachable: 'Der Server ist nicht erreichbar. Prüfe deine Verbindung und versuche es noch einmal.',
  unexpected: 'Etwas ist schiefgegangen. Versuche es noch einmal.',
  codes,
};
