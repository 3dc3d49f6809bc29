/**
 * docs/scale.md has tables that `trainer plan` printed: it prints them again. Where sizes or the plan have changed on purpose,
 * UPDATE_PAGE=1 writes the page anew; then read it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { trainer } from './support/trainer';

const PAGE = 'docs/scale.md';
const page = readFileSync(PAGE, 'utf8');
const blocks = [...page.matchAll(/<!-- trainer (plan [^\n]*) -->\n([\s\S]*?)<!-- end -->/g)];

test('it has the tables', () => expect(blocks.length).toBeGreaterThanOrEqual(4));

const told = new Map<string, string>();
async function printed(command: string): Promise<string> {
  const known = told.get(command);
  if (known !== undefined) return known;
  const { code, text } = await trainer(command.split(' '));
  expect(code).toBe(0);
  told.set(command, text);
  return text;
}

test('every table is what its command prints', async () => {
  let fresh = page;
  for (const [whole, command] of blocks) {
    const text = await printed(command);
    fresh = fresh.replace(whole, () => `<!-- trainer ${command} -->\n\n${text}\n\n<!-- end -->`);
  }
  if (process.env.UPDATE_PAGE) writeFileSync(PAGE, fresh);
  else expect(page).toBe(fresh);
});

const MENDED = 'plan --size 7B --ranks 64 --averages owners';
const FIRST = 'plan --size 7B --ranks 8,16,32,64 --link 25GB/s --device-memory 80GB --flops 20TFLOP/s';

test.each([
  // What the text says of the tables, by the command that shows it.
  ['a step takes 93 s', MENDED, '| 92.8 s |'],
  ['269 days', MENDED, '| 269 days |'],
  ['all ranks fit into 80 GB', MENDED, '| 70.2 GB |'],
  ['108 GB, in one process', FIRST, '| 108.1 GB '],
  ['two sums of gradients, 54 GB', 'plan --size 7B --ranks 64 --micro-batch 1 --averages owners', '| 81.1 GB '],
])('"%s"', async (words, command, cell) => {
  expect(page.replaceAll(/\s+/g, ' ')).toContain(words);
  expect(await printed(command)).toContain(cell);
});
