import { BindingSet, f32Literal, type LoweringDevice, linearWorkgroup, splitGrid } from './lowering.js';

const device = { maxWorkgroupsPerDimension: 65535 } as LoweringDevice;

test.each([1, 65535, 65536, 131071, 1e6, 65535 * 65535])('a grid of %p workgroups', (workgroups) => {
  const [x, y, z] = splitGrid(workgroups, device);
  expect(Math.max(x, y)).toBeLessThanOrEqual(65535);
  expect(x * y).toBeGreaterThanOrEqual(workgroups);
  // At most a row to spare.
  expect(x * y - workgroups).toBeLessThan(y);
  expect(z).toBe(1);
});

test('the linear position counts along x first', () => {
  expect(linearWorkgroup([7, 1, 1])).toBe('group.x');
  expect(linearWorkgroup([7, 3, 1])).toBe('(group.y * 7u + group.x)');
});

test.each([
  [1, '1f'],
  [-0.5, '(-0.5f)'],
  [0.1, '0.10000000149011612f'],
  [1e-30, '1.0000000031710769e-30f'],
  [3.4e38, '3.3999999521443642e+38f'],
  [1e39, 'infinity()'],
  [-0, 'bitcast<f32>(0x80000000u)'],
  [Number.NaN, 'not_a_number()'],
])('%p is written %s', (value, text) => {
  expect(f32Literal(value)).toBe(text);
});

test('a buffer asked for twice is bound once, and with one type', () => {
  const device = { sizedArrays: true };
  const bindings = new BindingSet({ device, isHalf: () => false, elements: () => 12, scratchBytes: () => 64 });
  expect(bindings.buffer(5, 'a').name).toBe('a');
  expect(bindings.scratch(5, 'partial', 'u32').name).toBe('partial');
  expect(bindings.buffer(5, 'b').name).toBe('a');
  expect(bindings.bindings).toEqual([{ buffer: 5 }, { scratch: 5 }]);
  expect(bindings.declarations()).toBe(
    '@group(0) @binding(0) var<storage, read_write> a: array<f32, 12>;\n' +
      '@group(0) @binding(1) var<storage, read_write> partial: array<u32, 16>;',
  );
  expect(() => bindings.buffer(5, 'c', 'vec4f')).toThrow(/as f32 \(a\) and as vec4f/);
});

test('f16 in memory is read as f32 and rounded when it is stored', () => {
  const device = { sizedArrays: true };
  const isHalf = (buffer: number) => buffer > 0;
  const bindings = new BindingSet({ device, isHalf, elements: () => 12, scratchBytes: () => 0 });
  const [wide, half, quads] = [bindings.buffer(0, 'a'), bindings.buffer(1, 'b'), bindings.buffer(2, 'c', 'vec4f')];
  expect([wide.at('i'), half.at('i'), quads.at('i')]).toEqual(['a[i]', 'f32(b[i])', 'vec4f(c[i])']);
  expect([wide.set('i', 'x'), half.set('i', 'x'), quads.set('i', 'x')]).toEqual([
    'a[i] = x;',
    'b[i] = f16(x);',
    'c[i] = vec4h(x);',
  ]);
  expect(bindings.declarations().split('\n')).toEqual([
    'enable f16;',
    '@group(0) @binding(0) var<storage, read_write> a: array<f32, 12>;',
    '@group(0) @binding(1) var<storage, read_write> b: array<f16, 12>;',
    '@group(0) @binding(2) var<storage, read_write> c: array<vec4h, 3>;',
  ]);
});

test('where the driver checks indices, arrays are declared without a length', () => {
  const device = { sizedArrays: false };
  const bindings = new BindingSet({ device, isHalf: () => false, elements: () => 12, scratchBytes: () => 0 });
  bindings.window({ block: 3, byteOffset: 256, bytes: 64 }, 'block3', 'vec4f');
  bindings.table(new Uint32Array(6), 'places');
  expect(bindings.declarations()).toBe(
    '@group(0) @binding(0) var<storage, read_write> block3: array<vec4f>;\n' +
      '@group(0) @binding(1) var<storage, read_write> places: array<u32>;',
  );
});
