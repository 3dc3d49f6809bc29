/** @file Pages as browsers read them, for tests. */

/** A node of parse5's tree. */
interface Node {
  nodeName: string;
  value?: string;
  attrs?: { name: string; value: string }[];
  childNodes?: Node[];
}

interface Parser {
  parse(html: string, options: { onParseError(error: { code: string; startLine: number }): void }): Node;
}

export interface HtmlElement {
  name: string;
  attributes: Record<string, string>;
  /** Of it and all that is in it. */
  text: string;
  children: HtmlElement[];
}

/** The root element of a page. @throws Error listing what is no HTML in it */
export function parsePage(html: string): HtmlElement {
  // It brings no types.
  const { parse }: Parser = require('parse5');
  const errors = unbalancedTags(html);
  const document = parse(html, {
    onParseError: ({ code, startLine }) => void errors.push(`line ${startLine}: ${code}`),
  });
  if (errors.length > 0) throw new Error(errors.join('\n'));
  return elementOf(document.childNodes!.find(({ nodeName }) => nodeName === 'html')!);
}

/** Elements that have no end tag. */
const VOID = new Set(['br', 'img', 'meta', 'hr', 'input', 'link']);

/** Parsers mend these, and say nothing. */
function unbalancedTags(html: string): string[] {
  const open: string[] = [];
  const problems: string[] = [];
  for (const [tag, slash, name, ended] of html.matchAll(/<(\/?)([a-z][a-z\d]*)\b[^<>]*?(\/?)>/gi)) {
    if (slash === '' && ended === '' && !VOID.has(name)) open.push(name);
    if (slash !== '' && open.pop() !== name) problems.push(`${tag} ends what is not open`);
  }
  return [...problems, ...open.map((name) => `<${name}> has no end`)];
}

function elementOf({ nodeName, attrs = [], childNodes = [] }: Node): HtmlElement {
  return {
    name: nodeName,
    attributes: Object.fromEntries(attrs.map(({ name, value }) => [name, value])),
    text: childNodes.map(textOf).join(''),
    children: childNodes.filter(({ attrs }) => attrs !== undefined).map(elementOf),
  };
}

function textOf({ value, nodeName, childNodes = [] }: Node): string {
  return nodeName === '#text' ? (value ?? '') : childNodes.map(textOf).join('');
}

/** All elements within one that have this name and, if given, this class; in the order of the page. */
export function findAll(within: HtmlElement, name: string, className?: string): HtmlElement[] {
  return within.children.flatMap((child) => {
    const isWanted = child.name === name && (className === undefined || child.attributes.class === className);
    return [...(isWanted ? [child] : []), ...findAll(child, name, className)];
  });
}
