/** Chooses the plural form for a number. */

type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** `#` in a form is replaced by the number in the language's format. */
export function pluralIn(language: string): (count: number, forms: Forms) => string {
  const rules = new Intl.PluralRules(language);
  const numbers = new Intl.NumberFormat(language);
  return (count, forms) =>
    (forms[rules.select(count)] ?? forms.other).replaceAll('#', numbers.format(count));
}
