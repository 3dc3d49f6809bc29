/** One jest run for the whole repository: tests import sources, so nothing needs to be built but the wasm kernels. */
export default {
  roots: ['<rootDir>/packages', '<rootDir>/apps', '<rootDir>/bench/src', '<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testSequencer: '<rootDir>/test/slowest-first.mjs',
  transform: {
    '\\.[cm]?[jt]sx?$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
        // Beside the code: within it, each worker would read it again with every module of every test file.
        sourceMaps: true,
      },
    ],
  },
  transformIgnorePatterns: [
    '/node_modules/(?!(fast-png|iobuffer|pako|fflate|hyparquet|hyparquet-compressors|fzstd|hysnappy|modern-tar)/)',
  ],
  // What most imports are comes first: each is looked for under these endings, in this order.
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  moduleNameMapper: {
    '^@transfusion/app-common$': '<rootDir>/apps/common/src/index.ts',
    '^@transfusion/(core|tensor|wasm|webgpu|nn|tokenizer|vae|transformer|losses|schedulers|sampler|training|data|checkpoint|evaluation|hub|distributed)$':
      '<rootDir>/packages/$1/src/index.ts',
    '^@transfusion/emoji-64$': '<rootDir>/packages/emoji-64/src/index.ts',
    '^@transfusion/([a-z]+)/([a-z-]+)$': '<rootDir>/packages/$1/src/$2/index.ts',
    // Zod loads its messages in every language, in each test file anew: half of its files.
    '^\\.\\./locales/index\\.cjs$': '<rootDir>/node_modules/zod/v4/locales/en.cjs',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // Names of the global context are slow to look up in jest's modules, and numerical code is full of these.
  sandboxInjectedGlobals: [
    'Array',
    'Float32Array',
    'Float64Array',
    'Int32Array',
    'Map',
    'Math',
    'Number',
    'Object',
    'Set',
    'Uint32Array',
    'Uint8Array',
  ],
  // One more than the cores of a small machine: many tests wait for another process.
  maxWorkers: 3,
  // Stops what hangs; judges no machine's speed.
  testTimeout: 300_000,
};
