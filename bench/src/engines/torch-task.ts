/** @file A row's work in PyTorch: the problem as files, run by a script of bench/torch. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Task } from '../rows/row.js';
import type { TorchApi } from './torch.js';

export type NamedArray = [name: string, data: Float32Array | Int32Array, shape: readonly number[]];

export async function torchTask(
  torch: TorchApi,
  /** Its name in bench/torch. */
  script: string,
  problem: { arrays: readonly NamedArray[]; description: object },
): Promise<Task> {
  const folder = mkdtempSync(join(tmpdir(), 'transfusion-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const arrays = Object.fromEntries(
    problem.arrays.map(([name, data, shape], number) => {
      const file = `${number}.bin`;
      writeFileSync(join(folder, file), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      return [name, { file, shape, dtype: data instanceof Float32Array ? 'f32' : 'i32' }];
    }),
  );
  const description = { ...problem.description, arrays };
  writeFileSync(join(folder, 'problem.json'), JSON.stringify(description));
  const running = await torch.start(script, folder);
  return {
    run: async (times) => void (await running.ask({ run: times })),
    deviceBytes: async () => (await running.ask({ memory: true })).bytes,
    check: async () => Float32Array.from((await running.ask({ check: true })).numbers ?? []),
  };
}
