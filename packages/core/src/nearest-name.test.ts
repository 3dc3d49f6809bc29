import { nearestName } from './nearest-name.js';

test('nearestName finds what was meant and nothing far-fetched', () => {
  expect(nearestName('learningrate', ['learningRate', 'warmupSteps'])).toBe('learningRate');
  expect(nearestName('stpes', ['steps', 'seed'])).toBe('steps');
  expect(nearestName('colour', ['steps', 'seed'])).toBeUndefined();
  expect(nearestName('ropeTheta', [])).toBeUndefined();
});
