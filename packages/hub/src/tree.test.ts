import { chooseFiles, formatTree, parseTree } from './tree.js';

const file = { size: 1, hash: 'a'.repeat(40) };
const chosen = (names: string[], options: { subfolder?: string; files?: string[] } = {}) => {
  const tree = new Map(names.map((name) => [name, file]));
  return [...chooseFiles(tree, { subfolder: '', ...options }, 'x/y').keys()];
};

test('the files of a model: no documents, no other frameworks, no state of training, no lower precision beside the full', () => {
  expect(
    chosen([
      ...['README.md', 'config.json', 'model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
      ...['model.safetensors.index.json', 'model.fp16.safetensors', 'model.safetensors.index.fp16.json'],
      ...['optimizer.safetensors', 'pytorch_model.bin', 'SHA256SUMS', 'tokenizer.json', 'onnx/model.onnx'],
      ...['vae/config.json', 'vae/diffusion_pytorch_model.fp16.safetensors', 'unet/config.json', '.gitattributes'],
    ]),
  ).toEqual([
    ...['SHA256SUMS', 'config.json', 'model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
    ...['model.safetensors.index.json', 'tokenizer.json', 'vae/config.json'],
    'vae/diffusion_pytorch_model.fp16.safetensors',
  ]);
});

test('patterns have stars and question marks, and nothing else that is special', () => {
  const names = ['a.json', 'ab.json', 'x/a.json', 'aXjson', 'a+b.txt'];
  expect(chosen(names, { files: ['a.json'] })).toEqual(['a.json']);
  expect(chosen(names, { files: ['*.json'] })).toEqual(['a.json', 'ab.json', 'x/a.json']);
  expect(chosen(names, { files: ['a?.json', 'a+*'] })).toEqual(['a+b.txt', 'ab.json']);
  expect(chosen(names, { subfolder: 'x', files: ['*.json'] })).toEqual(['x/a.json']);
});

test('a list is as Python writes it, with letters of every script, and read again; a damaged one is none', () => {
  const text = formatTree([
    { type: 'file', path: 'é😀.json', size: 3, oid: 'a'.repeat(40) },
    { type: 'directory', path: 'd' },
  ]);
  // json.dumps(..., indent=1) of Python, run by hand.
  expect(text).toBe(
    `{\n "format_version": 1,\n "files": {\n  "\\u00e9\\ud83d\\ude00.json": {\n   "size": 3,\n   "blob_id": "${'a'.repeat(40)}"\n  }\n }\n}`,
  );
  expect([...parseTree(text)!]).toEqual([['é😀.json', { size: 3, hash: 'a'.repeat(40) }]]);
  for (const bad of [text.slice(1), text.replace('1', '2'), text.replace('"size": 3', '"size": -3'), '[]']) {
    expect(parseTree(bad)).toBeUndefined();
  }
});
