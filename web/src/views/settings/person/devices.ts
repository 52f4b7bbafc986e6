/** The names of devices from the server (`hubbub/gateway/auth/user_agent.py`), in the user's language. */

import type { SettingsWords } from '../../../words/en/settings';

/** “Firefox on Linux”; other names stay unchanged. */
export function deviceName(label: string, t: SettingsWords['devices']): string {
  const named = (part: string) => t.named[part] ?? part;
  const [browser = '', system] = label.split(' on ');
  return system ? t.label(named(browser), named(system)) : named(label);
}

export type DeviceKind = 'computer' | 'phone' | 'program';

export function kindOf(label: string): DeviceKind {
  if (/Android|iPhone|iPad/.test(label)) return 'phone';
  return /curl|Wget|Python/.test(label) ? 'program' : 'computer';
}
