/** @file A model of a hub, fetched and drawn with by a page: `hub.draw`, `hub.fetch`. */
import { fromHub, type HubProgress } from '@transfusion/hub';
import { createSampler, openModel } from '@transfusion/sampler';
import { openWasm } from '@transfusion/wasm';

const options = (endpoint: string) => ({ endpoint, token: 'hf_secret', retries: 0 });

/** Two pictures; in one thread and without fused multiply-add, they are the same bits everywhere. */
async function draw(endpoint: string, localFilesOnly = false): Promise<number[][]> {
  const backend = await openWasm({ threads: 1, fusedMultiplyAdd: false });
  const source = await fromHub('owner/tiny', { ...options(endpoint), localFilesOnly });
  const model = await openModel(source, backend);
  const images = await createSampler({ backend, ...model }).drawImages({ prompts: ['red', ''], seed: 4, steps: 2 });
  await backend.dispose();
  return images.map(({ data }) => [...data]);
}

/** Fetches one file; the last that was told of its progress, and sums of its bytes in parts of a million. */
async function fetchFile(endpoint: string, file: string): Promise<{ progress: HubProgress; sums: number[] }> {
  let last: HubProgress | undefined;
  const source = await fromHub('owner/tiny', {
    ...options(endpoint),
    files: [file],
    onProgress(progress) {
      last = progress;
      Object.assign(globalThis, { progress });
    },
  });
  const sums: number[] = [];
  const size = await source.size(file);
  for (let begin = 0; begin < size; begin += 1e6) {
    const bytes = new Uint8Array(Math.min(1e6, size - begin));
    await source.read(file, begin, bytes);
    sums.push(bytes.reduce((sum, byte) => sum + byte, 0));
  }
  return { progress: last!, sums };
}

export const hub = { draw, fetch: fetchFile };
Object.assign(globalThis, { hub });
