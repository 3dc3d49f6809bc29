import { trainByteLevelBpe } from './index.js';

jest.mock('node:module', () => ({
  createRequire: () => ({
    resolve: (name: string) => {
      throw new Error(`Cannot find module '${name}'`);
    },
  }),
}));

test('says what to install where the native trainer is missing', async () => {
  await expect(trainByteLevelBpe({ texts: ['a b'], vocabularySize: 300 })).rejects.toThrow(
    /TOKENIZER_TRAINER_MISSING[\s\S]*npm install tokenizers/,
  );
});
