/** @file Where gradients stop: the same values, as a constant (PyTorch's `detach`, `stop_gradient` elsewhere). */
import type { OpDefinition } from '../graph/node.js';

/** The identity, without a gradient. `simplify` drops it, so it must be there only while gradients are taken. */
export const detachOp: OpDefinition<null> = {
  name: 'detach',
  infer: ([x]) => [x],
  reference: ({ inputs: [x] }) => [x],
  gradient: () => [undefined],
};
