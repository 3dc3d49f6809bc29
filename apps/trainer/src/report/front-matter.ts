/** @file Metadata of a model card: YAML between two lines of dashes. Strings are JSON's, which YAML reads alike. */

export type Yaml = string | number | boolean | readonly Yaml[] | { readonly [key: string]: Yaml | undefined };

/** Fields that are undefined are left out. */
export function frontMatter(fields: { readonly [key: string]: Yaml | undefined }): string {
  return `---\n${lines(fields).join('\n')}\n---\n`;
}

/** A value as lines of YAML's block style. */
function lines(value: Yaml): string[] {
  if (typeof value !== 'object') return [typeof value === 'string' ? scalar(value) : JSON.stringify(value)];
  if (isEmpty(value)) return [JSON.stringify(value)];
  if (isList(value)) return value.flatMap((each) => listed(lines(each)));
  return Object.entries(value).flatMap(([key, each]) => (each === undefined ? [] : field(scalar(key), each)));
}

function field(key: string, value: Yaml): string[] {
  const inside = lines(value);
  if (typeof value !== 'object' || isEmpty(value)) return [`${key}: ${inside[0]}`];
  return [`${key}:`, ...inside.map((line) => `  ${line}`)];
}

function listed([first, ...rest]: string[]): string[] {
  return [`- ${first}`, ...rest.map((line) => `  ${line}`)];
}

/** Words that YAML takes for nothing else stay bare. */
function scalar(text: string): string {
  const isBare = /^[a-z][\w-]*$/i.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return isBare ? text : JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function isList(value: Yaml): value is readonly Yaml[] {
  return Array.isArray(value);
}

function isEmpty(value: object): boolean {
  return Object.values(value).every((each) => each === undefined);
}
