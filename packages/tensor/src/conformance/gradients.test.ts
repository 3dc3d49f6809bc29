import { conformanceCases } from './cases.js';
import { checkGradients, differentiableInputs } from './check.js';

describe('the symbolic gradient of every operation agrees with central differences in f64', () => {
  for (const testCase of conformanceCases.filter((each) => differentiableInputs(each).length > 0)) {
    const elements = Object.values(testCase.inputs).reduce((sum, { values }) => sum + values.length, 0);
    if (elements > 4000) continue;
    test(testCase.name, () => expect(checkGradients(testCase)).toEqual([]));
  }
});
