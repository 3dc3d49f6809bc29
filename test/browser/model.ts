/** @file A model that is opened from an address, in a page and in Node alike: `models.draw`. */
import { type Addresses, type Sha256Sums, UrlSource } from '@transfusion/checkpoint';
import { createSampler, openModel } from '@transfusion/sampler';
import { openWasm } from '@transfusion/wasm';

/** Two pictures; in one thread and without fused multiply-add, they are the same bits everywhere. */
async function draw(addresses: Addresses, verify?: Sha256Sums): Promise<number[][]> {
  const backend = await openWasm({ threads: 1, fusedMultiplyAdd: false });
  const model = await openModel(new UrlSource(addresses, { retries: 0 }), backend, { verify });
  const images = await createSampler({ backend, ...model }).drawImages({ prompts: ['red', ''], seed: 4, steps: 2 });
  await backend.dispose();
  return images.map(({ data }) => [...data]);
}

export const models = { draw };
Object.assign(globalThis, { models });
