import { flattenTree, mapTree } from './tree.js';

const isNumber = (value: unknown): value is number => typeof value === 'number';

describe('flattenTree', () => {
  test('names leaves by their path, in the order written', () => {
    const tree = { blocks: [{ query: 1, key: 2 }, { query: 3 }], norm: 4, nothing: undefined, none: null };
    expect([...flattenTree(tree, isNumber)]).toEqual([
      ['blocks.0.query', 1],
      ['blocks.0.key', 2],
      ['blocks.1.query', 3],
      ['norm', 4],
    ]);
  });

  test('a leaf by itself has the empty path', () => {
    expect([...flattenTree(7, isNumber)]).toEqual([['', 7]]);
    expect(flattenTree(undefined, isNumber).size).toBe(0);
    expect(flattenTree({}, isNumber).size).toBe(0);
  });
});

describe('mapTree', () => {
  test('keeps the form and hands out the paths of flattenTree', () => {
    const tree = { blocks: [{ query: 1 }, { query: 2, bias: undefined }], norm: 3 };
    const named = mapTree(tree, isNumber, (leaf, path) => `${path}=${leaf}`);
    expect(named).toEqual({
      blocks: [{ query: 'blocks.0.query=1' }, { query: 'blocks.1.query=2', bias: undefined }],
      norm: 'norm=3',
    });
    expect(Array.isArray(named.blocks)).toBe(true);
    const paths: string[] = [];
    mapTree(tree, isNumber, (_, path) => paths.push(path));
    expect(paths).toEqual([...flattenTree(tree, isNumber).keys()]);
  });

  test('keeps numbers, texts and nothing that are no leaves', () => {
    const isText = (value: unknown): value is string => typeof value === 'string';
    const tree = { layer: { name: 'a', scale: 0.5, on: true }, none: null };
    expect(mapTree(tree, isText, (leaf) => leaf.length)).toEqual({
      layer: { name: 1, scale: 0.5, on: true },
      none: null,
    });
  });

  test('does not change its argument', () => {
    const tree = Object.freeze({ list: Object.freeze([1, 2]) });
    expect(mapTree(tree, isNumber, (leaf) => leaf * 10)).toEqual({ list: [10, 20] });
    expect(tree).toEqual({ list: [1, 2] });
  });
});
