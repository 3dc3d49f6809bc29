/** @file Links of a folder of web pages that lead nowhere. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * Follows every `href` and `src` that leads to a file of the site, and to a place in it (`#name`).
 *
 * @returns {string[]} each with the page that has it
 */
export function brokenLinks(site) {
  const pages = readdirSync(site, { recursive: true }).filter((name) => name.endsWith('.html'));
  const read = new Map(pages.map((name) => [join(site, name), readFileSync(join(site, name), 'utf8')]));
  const anchors = new Map([...read].map(([path, text]) => [path, anchorsOf(text)]));
  return [...read].flatMap(([path, text]) =>
    [...new Set(linksOf(text))]
      .filter((link) => !leads(path, link, anchors))
      .map((link) => `${relative(site, path)}: ${link} leads nowhere`),
  );
}

/** Those within the site. */
function linksOf(html) {
  return [...html.matchAll(/\s(?:href|src)="([^"]*)"/g)]
    .map(([, link]) => link.replaceAll('&amp;', '&'))
    .filter((link) => !/^(?:[a-z][a-z+.-]*:|\/\/)/i.test(link));
}

function anchorsOf(html) {
  return new Set([...html.matchAll(/\s(?:id|name)="([^"]*)"/g)].map(([, name]) => name.replaceAll('&amp;', '&')));
}

function leads(from, link, anchors) {
  const [address, anchor = ''] = link.split('#');
  const target = address === '' ? from : join(dirname(from), decodeURIComponent(address.split('?')[0]));
  const page = existsSync(target) && statSync(target).isDirectory() ? join(target, 'index.html') : target;
  if (!existsSync(page)) return false;
  return anchor === '' || !anchors.has(page) || anchors.get(page).has(decodeURIComponent(anchor));
}
