/** @file Words of a command line that a person is told. */

/** One word for a POSIX shell; control characters, which a terminal would obey, as bash and zsh spell them. */
export function shellQuoted(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  const control = /[\x00-\x1f\x7f-\x9f]/g;
  if (!control.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const code = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `$'${text.replace(/[\\']/g, '\\$&').replace(control, code)}'`;
}
