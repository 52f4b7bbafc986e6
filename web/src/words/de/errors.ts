import type { Words } from '../en';
import type { ErrorCode } from '../en/errors';

const codes: Record<ErrorCode, string> = {
  malformed: 'Der Server hat die Anfrage nicht verstanden. Lade die Seite neu.',
  unknown_command: 'Der Server kennt diesen Befehl nicht. Lade die Seite neu.',
  sign_in_required: 'Melde dich an.',
  wrong_credentials: 'Name oder Passwort ist falsch.',
  forbidden: 'Das darfst du hier nicht.',
  not_member: 'Tritt dem Raum zuerst bei.',
  wrong_origin: 'Die Anfrage kam von einer fremden Seite und wurde abgelehnt.',
  registration_closed: 'Dieser Server nimmt keine neuen Konten an.',
  invite_required: 'Für ein neues Konto brauchst du eine Einladung.',
  invite_invalid: 'Diese Einladung gilt nicht mehr. Bitte um eine neue.',
  not_found: 'Das gibt es hier nicht, oder es ist nicht für dich bestimmt.',
  name_taken: 'Dieser Name ist vergeben oder einem vergebenen zu ähnlich. Nimm einen anderen.',
  conflict: 'Das ist so, wie die Dinge stehen, nicht möglich.',
  last_owner: 'Mache zuerst jemand anderen zum Besitzer.',
  too_large: 'Der Text ist zu lang. Kürze ihn.',
  wrong_host: 'Dieser Server heißt anders. Prüfe die Adresse.',
  invalid: 'Diese Eingabe ist nicht möglich. Ändere sie und versuche es noch einmal.',
  rate_limited: 'Das war zu schnell. Warte einen Augenblick.',
  quota_reached:
    'Mehr geht auf diesem Server nicht. Entferne etwas, das du nicht mehr brauchst, oder mach morgen weiter.',
  too_many_connections: 'Zu viele Verbindungen. Schließe einige Fenster.',
  internal: 'Auf dem Server ist etwas schiefgegangen. Versuche es noch einmal.',
  busy: 'Der Server hat gerade zu viel zu tun. Versuche es gleich noch einmal.',
  unavailable: 'Der Server kann gerade nicht speichern. Versuche es gleich noch einmal.',
};

export const errors: Words['errors'] = {
  disconnected: 'Die Verbindung ist weg. Versuche es gleich noch einmal.',
  unreachable: 'Der Server ist nicht erreichbar. Prüfe deine Verbindung und versuche es noch einmal.',
  unexpected: 'Etwas ist schiefgegangen. Versuche es noch einmal.',
  codes,
};
