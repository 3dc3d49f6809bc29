/** A page that draws with the model of a package: `draw()` gives two pictures' values. */
import { UrlSource } from '@transfusion/checkpoint';
import { files, name, sha256 } from '@transfusion/emoji-64';
import { createSampler, openModel } from '@transfusion/sampler';
import { openWasm } from '@transfusion/wasm';
import { openWebGpu } from '@transfusion/webgpu';

/** On wasm, without fused multiply-add, they are the same bits everywhere, in however many threads. */
globalThis.draw = async (device) => {
  const backend = device === 'webgpu' ? await openWebGpu() : await openWasm({ threads: 2, fusedMultiplyAdd: false });
  const model = await openModel(new UrlSource(files, { name }), backend, { verify: sha256 });
  const images = await createSampler({ backend, ...model }).drawImages({ prompts: ['red', ''], seed: 4, steps: 2 });
  await backend.dispose();
  return { addresses: files, description: backend.description, pictures: images.map(({ data }) => [...data]) };
};
