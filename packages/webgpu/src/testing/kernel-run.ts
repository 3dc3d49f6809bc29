import type { Backend, HostArray, Kernel, Program, ProgramBuffer } from '@transfusion/tensor';

/** Puts together and runs a program of hand-written kernels. */
export class KernelRun {
  readonly #buffers: ProgramBuffer[] = [];
  readonly #data: HostArray[] = [];

  constructor(readonly backend: Backend) {}

  /** A buffer that holds `data`; its number in the program. Kernels that work in place may write it. */
  input(data: HostArray): number {
    const index = this.#buffers.length;
    const dtype = data instanceof Int32Array ? 'i32' : 'f32';
    const storage = { kind: 'input', index } as const;
    this.#buffers.push({ dtype, elements: data.length, storage, name: `operand ${index}` });
    this.#data.push(data);
    return index;
  }

  /** A buffer that holds NaN until a kernel writes it, so that an element left out shows. */
  output(elements: number): number {
    return this.input(new Float32Array(elements).fill(Number.NaN));
  }

  /** Runs the kernels in order and reads the f32 buffers `outputs`. */
  async run(kernels: Kernel[], outputs: number[]): Promise<Float32Array[]> {
    const name = kernels.map((kernel) => kernel.kind).join(', ');
    const program: Program = { name, buffers: this.#buffers, kernels, arenaBytes: [], liveBytes: 0, outputs, flops: 0 };
    const executable = await this.backend.load(program, []);
    try {
      const results = await executable.run(this.#data);
      return results.map((result) => new Float32Array(result));
    } finally {
      executable.dispose();
    }
  }
}
