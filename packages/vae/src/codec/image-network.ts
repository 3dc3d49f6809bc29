/** @file A network over images: compiled once for every size and number of images; where they are large, streamed. */
import {
  type Backend,
  type Compiled,
  compile,
  f32,
  type MapTree,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import type { StreamOptions } from '../streamed/run-convolution.js';
import { type CodecMemory, memoryOfSteps, runSteps } from '../streamed/run-steps.js';
import type { Step } from '../streamed/steps.js';

/** One side of a network: images [height scale, width scale, channels] for latents of height x width. */
export interface NetworkSide {
  channels: number;
  scale: number;
}

/** In latents, down and across. */
export interface LatentSize {
  height: number;
  width: number;
}

export interface ImageNetworkOptions<State> {
  backend: Backend;
  /** For messages and profiles. */
  name: string;
  state: State;
  input: NetworkSide;
  output: NetworkSide;
  /** [batch, height, width, input channels] to [batch, height, width, output channels]. */
  fn: (x: Tensor, state: MapTree<State, Variable, Tensor>) => Tensor;
  /** Images of one run. */
  maxBatch: number;
  /** The same network in steps, for large images. Without it, images of any size go through in one piece. */
  streamed?: Streamed;
}

export interface Streamed extends Omit<StreamOptions, 'backend'> {
  steps: readonly Step[];
  /** Images of more latents than this are streamed. */
  mostWhole: number;
}

type NetworkFunction = Compiled<{ x: ReturnType<typeof f32> }, { y: Tensor }>;

export class ImageNetwork<State> {
  readonly #options: ImageNetworkOptions<State>;
  readonly #functions = new Map<string, Promise<NetworkFunction>>();

  constructor(options: ImageNetworkOptions<State>) {
    this.#options = options;
  }

  /** Images of one size, flattened, each to its result. */
  async run(size: LatentSize, images: readonly Float32Array[]): Promise<Float32Array[]> {
    const { maxBatch } = this.#options;
    const results: Float32Array[] = [];
    if (this.#isStreamed(size)) {
      for (const image of images) results.push(await this.#stream(size, image));
      return results;
    }
    for (let first = 0; first < images.length; first += maxBatch) {
      results.push(...(await this.#runBatch(size, images.slice(first, first + maxBatch))));
    }
    return results;
  }

  /** Memory of a run over `count` images of a size, weights not counted. Compiles what such a run needs. */
  async memory(size: LatentSize, count: number): Promise<CodecMemory> {
    const { backend, streamed, maxBatch, input, output } = this.#options;
    if (streamed && this.#isStreamed(size)) {
      return memoryOfSteps(
        streamed.steps,
        { ...scaled(size, input.scale), channels: input.channels },
        { backend, ...streamed },
      );
    }
    const batch = Math.min(maxBatch, count);
    const { program } = await this.#compiled(size, batch);
    const pixels = input.channels * input.scale ** 2 + output.channels * output.scale ** 2;
    return {
      hostBytes: 4 * batch * size.height * size.width * pixels,
      deviceBytes: program.arenaBytes.reduce((sum, bytes) => sum + bytes, 0),
    };
  }

  dispose(): void {
    for (const compiled of this.#functions.values()) {
      compiled.then(
        (each) => each.dispose(),
        () => {},
      );
    }
    this.#functions.clear();
  }

  #isStreamed({ height, width }: LatentSize): boolean {
    const { streamed } = this.#options;
    return streamed !== undefined && height * width > streamed.mostWhole;
  }

  async #stream(size: LatentSize, image: Float32Array): Promise<Float32Array> {
    const { backend, input } = this.#options;
    const streamed = this.#options.streamed!;
    const map = { ...scaled(size, input.scale), channels: input.channels, data: image };
    return (await runSteps(streamed.steps, map, { backend, ...streamed })).data;
  }

  async #runBatch(size: LatentSize, images: readonly Float32Array[]): Promise<Float32Array[]> {
    const compiled = await this.#compiled(size, images.length);
    const x = new Float32Array(images.length * images[0].length);
    images.forEach((image, i) => x.set(image, i * image.length));
    const { y } = await compiled.run({ x });
    const length = y.length / images.length;
    return images.length === 1 ? [y] : images.map((_, i) => y.slice(i * length, (i + 1) * length));
  }

  #compiled(size: LatentSize, batch: number): Promise<NetworkFunction> {
    const key = `${batch} of ${size.height}x${size.width}`;
    let compiled = this.#functions.get(key);
    if (!compiled) {
      compiled = this.#compile(size, batch);
      this.#functions.set(key, compiled);
      // What could not be compiled (for want of memory, say) is tried again.
      compiled.catch(() => this.#functions.delete(key));
    }
    return compiled;
  }

  #compile({ height, width }: LatentSize, batch: number): Promise<NetworkFunction> {
    const { backend, name, state, input, fn } = this.#options;
    const [rows, columns] = [height * input.scale, width * input.scale];
    return compile({
      backend,
      name: `${name} ${batch}x${rows}x${columns}`,
      inputs: { x: f32(batch, rows, columns, input.channels) },
      state,
      fn: ({ x }, parameters) => ({ outputs: { y: fn(x, parameters) } }),
    });
  }
}

function scaled({ height, width }: LatentSize, scale: number): LatentSize {
  return { height: height * scale, width: width * scale };
}
