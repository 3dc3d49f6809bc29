import { ignoredFields } from './ignored-fields.js';
import { type RunConfigInput, runConfigSchema } from './run-config.js';

const told = (config: RunConfigInput) => ignoredFields(runConfigSchema.parse(config)).join('\n');

test('what has an effect, or is a default, is not told', () => {
  expect(told({})).toBe('');
  expect(told({ data: { demoSet: 8, flip: true, count: 3 } })).toBe('');
  expect(told({ data: { dataset: 'folder', folder: 'a', texts: 'b', textShare: 0.2 } })).toBe('');
  expect(told({ data: { dataset: 'none', texts: 'b' } })).toBe('');
});

test('what has none is told, with what it would need', () => {
  expect(told({ data: { textShare: 0.2 } })).toBe('data.textShare has no effect: it needs data.texts beside pictures');
  expect(told({ data: { dataset: 'none', texts: 'b', textShare: 0.2 } })).toMatch(/textShare has no effect/);
  expect(told({ data: { dataset: 'folder', folder: 'a', demoSet: 8 } })).toMatch(/demoSet has no effect: .*emoji/);
  expect(told({ codec: 'emoji-64-kl', data: { dataset: 'none', texts: 'b', folder: 'a', count: 3 } })).toMatch(
    /folder has.*\n.*count has.*\ncodec has no effect/,
  );
});
