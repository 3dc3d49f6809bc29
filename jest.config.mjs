/** One jest run for the whole repository: tests import sources, so nothing needs to be built but the wasm kernels. */
export default {
  roots: ['<rootDir>/packages', '<rootDir>/apps', '<rootDir>/bench/src', '<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '\\.[cm]?[jt]sx?$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  transformIgnorePatterns: ['/node_modules/(?!(fast-png|iobuffer|pako|fflate)/)'],
  moduleNameMapper: {
    '^@transfusion/app-common$': '<rootDir>/apps/common/src/index.ts',
    '^@transfusion/(core|tensor|wasm|webgpu|nn|tokenizer|vae|transformer|losses|schedulers|sampler|training|data|checkpoint)$':
      '<rootDir>/packages/$1/src/index.ts',
    '^@transfusion/([a-z]+)/([a-z-]+)$': '<rootDir>/packages/$1/src/$2/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  maxWorkers: 2,
};
