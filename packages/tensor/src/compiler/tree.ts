/** @file Trees of named leaves: nested objects and arrays. Paths such as `blocks.0.attention.query` name the leaves. */

/** The same tree with every `From` leaf replaced by `To`. */
export type MapTree<T, From, To> = T extends From
  ? To
  : T extends readonly (infer Element)[]
    ? MapTree<Element, From, To>[]
    : T extends object
      ? { [Key in keyof T]: MapTree<T[Key], From, To> }
      : T;

/** Tells leaves from branches. */
export type LeafTest<Leaf> = (value: unknown) => value is Leaf;

/** The leaves by path, in the order in which they are written. Undefined branches are skipped. */
export function flattenTree<Leaf>(tree: unknown, leaf: LeafTest<Leaf>, path = ''): Map<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  if (tree === undefined || tree === null) return leaves;
  if (leaf(tree)) return leaves.set(path, tree);
  for (const [key, branch] of Object.entries(tree)) {
    for (const [name, value] of flattenTree(branch, leaf, path ? `${path}.${key}` : key)) leaves.set(name, value);
  }
  return leaves;
}

/** A tree of the same form whose leaves are `transform(leaf, path)`. Numbers and texts that are no leaves stay. */
export function mapTree<T, Leaf, To>(
  tree: T,
  leaf: LeafTest<Leaf>,
  transform: (leaf: Leaf, path: string) => To,
  path = '',
): MapTree<T, Leaf, To> {
  const result: unknown =
    tree === undefined || tree === null
      ? tree
      : leaf(tree)
        ? transform(tree, path)
        : Array.isArray(tree)
          ? tree.map((branch, i) => mapTree(branch, leaf, transform, path ? `${path}.${i}` : `${i}`))
          : typeof tree === 'object'
            ? Object.fromEntries(
                Object.entries(tree).map(([key, branch]) => [
                  key,
                  mapTree(branch, leaf, transform, path ? `${path}.${key}` : key),
                ]),
              )
            : tree;
  return result as MapTree<T, Leaf, To>;
}
