/** docs/paper.md names files and tests: all of them are there. */
import { existsSync, readFileSync } from 'node:fs';

const page = readFileSync('docs/paper.md', 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| the paper'));

test('it has the statements', () => expect(rows.length).toBeGreaterThan(25));

test('every file that it names exists', () => {
  const paths = [...page.matchAll(/`((?:packages|apps|studies|test|models)\/[^`\s]+)`/g)].map(([, path]) => path);
  expect(paths.length).toBeGreaterThan(rows.length);
  expect(paths.filter((path) => !existsSync(path))).toEqual([]);
});

test('every test that it names is a title in the file before it', () => {
  const named = [...page.matchAll(/`([^`\s]+\.test\.ts)`: "([^"]+)"/g)];
  expect(named.length).toBeGreaterThan(15);
  const missing = named.filter(([, file, title]) => !readFileSync(file, 'utf8').includes(title));
  expect(missing.map(([found]) => found)).toEqual([]);
});
