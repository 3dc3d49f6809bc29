import { lazyValues } from './lazy-values.js';

function counting(keptBytes: number) {
  const made: string[] = [];
  const maker = (name: string) => () => {
    made.push(name);
    return Float32Array.of(made.length);
  };
  const shared = maker('a');
  const makers = new Map([
    ['parameters.a', shared],
    ['ema.a', shared],
    ['b', maker('b')],
  ]);
  return { values: lazyValues(makers, 3, keptBytes), made };
}

test('few values are made once, when they are asked for', () => {
  const { values, made } = counting(12);
  expect(made).toEqual([]);
  expect(values.get('ema.a')).toBe(values.get('parameters.a'));
  expect([...values]).toHaveLength(3);
  expect(made).toEqual(['a', 'b']);
});

test('many are not kept', () => {
  const { values, made } = counting(11);
  expect(values.get('parameters.a')).toEqual(Float32Array.of(1));
  expect(values.get('ema.a')).toEqual(Float32Array.of(2));
  expect(values.get('c')).toBeUndefined();
  expect([values.has('b'), values.has('c'), values.size, [...values.keys()]]).toEqual([
    true,
    false,
    3,
    ['parameters.a', 'ema.a', 'b'],
  ]);
  expect(made).toEqual(['a', 'a']);
});
