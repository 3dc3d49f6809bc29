/** @file The choice of variants by measurement: what is known, and measuring what a program needs that is not. */
import { describeKernel, type Program } from '@transfusion/tensor';
import { lowerKernel } from '../kernels/index.js';
import type { Product } from '../kernels/products/product.js';
import type { Candidates, Variant } from '../kernels/products/variant.js';
import type { LoweringContext } from '../lowering.js';
import { kernelContext } from '../runtime/kernel-context.js';
import { PipelineCache } from '../runtime/pipelines.js';
import { type DroppedVariant, type Measurement, measureProduct } from './measure.js';
import type { BenchTools } from './product-bench.js';
import { shapeClass } from './shape-class.js';
import { type TuningStore, usableEntries } from './store.js';

/** What measuring did since the backend was opened. */
export interface TuningSummary {
  /** Shape classes of products that were measured. */
  measured: number;
  /** Shape classes whose choice was in the store. */
  reused: number;
  /** Seconds spent on measuring, compilation included. */
  seconds: number;
  /** The variant of each shape class in use. */
  choices: Record<string, string>;
  /** Variants that were not considered because they failed or computed something else. */
  dropped: (DroppedVariant & { shapeClass: string })[];
}

/** A store that does not answer by then is done without. */
const STORE_SECONDS = 5;

export class Tuner {
  readonly #tools: Omit<BenchTools, 'pipelines'>;
  readonly #candidates: Candidates;
  readonly #store: TuningStore | undefined;
  readonly #key: () => Promise<string>;
  /** Names of variants by shape class. */
  readonly #stored = new Map<string, string>();
  readonly #measured = new Map<string, string>();
  /** Classes that could not be measured: in this process they stay with the default, so that equal programs are equal. */
  readonly #unmeasured = new Set<string>();
  readonly #reused = new Set<string>();
  readonly #dropped: TuningSummary['dropped'] = [];
  #seconds = 0;
  #loaded: Promise<void> | undefined;
  /** Programs wait for each other: two that measure at once would measure each other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: {
    tools: Omit<BenchTools, 'pipelines'>;
    candidates: Candidates;
    store: TuningStore | undefined;
    /** The store's key for this adapter and these kernels. */
    key: () => Promise<string>;
  }) {
    this.#tools = options.tools;
    this.#candidates = options.candidates;
    this.#store = options.store;
    this.#key = options.key;
  }

  get summary(): TuningSummary {
    return {
      measured: this.#measured.size,
      reused: this.#reused.size,
      seconds: this.#seconds,
      choices: Object.fromEntries([
        ...[...this.#reused].map((name) => [name, this.#stored.get(name)!] as const),
        ...this.#measured,
      ]),
      dropped: [...this.#dropped],
    };
  }

  /** What is known to be the fastest; undefined where nothing is. */
  choose(product: Product, context: LoweringContext): Variant | undefined {
    const known = this.#known(shapeClass(product, context));
    return known === undefined ? undefined : this.#named(known, product, context);
  }

  /** Measures the shape classes among the program's products that are not known yet. */
  tune(program: Program): Promise<void> {
    const tuning = this.#queue.then(() => this.#tune(program));
    this.#queue = tuning.catch(() => {});
    return tuning;
  }

  #known(name: string): string | undefined {
    return this.#measured.get(name) ?? this.#stored.get(name);
  }

  #named(variant: string, product: Product, context: LoweringContext): Variant | undefined {
    return this.#candidates(product, context).find(({ name }) => name === variant);
  }

  async #tune(program: Program): Promise<void> {
    const products = this.#productsOf(program);
    if (products.size === 0) return;
    this.#loaded ??= this.#load();
    await this.#loaded;
    const unknown = [...products].filter(([name, { variants }]) => {
      const stored = this.#stored.get(name);
      const isStored = stored !== undefined && variants.some((variant) => variant.name === stored);
      if (isStored) this.#reused.add(name);
      return !isStored && !this.#measured.has(name) && !this.#unmeasured.has(name);
    });
    if (unknown.length === 0) return;
    const start = performance.now();
    // Kept until all are measured: classes share pipelines.
    const tools = { ...this.#tools, pipelines: new PipelineCache(this.#tools.device) };
    const entries: Record<string, string> = {};
    for (const [name, { product, variants }] of unknown) {
      const measurement = await measureProduct({ product, program }, variants, tools).catch(() => undefined);
      this.#remember(name, measurement);
      if (measurement) entries[name] = measurement.fastest;
    }
    if (Object.keys(entries).length > 0) await this.#save(entries);
    this.#seconds += (performance.now() - start) / 1000;
  }

  #remember(name: string, measurement: Measurement | undefined): void {
    if (!measurement) {
      this.#unmeasured.add(name);
      return;
    }
    this.#measured.set(name, measurement.fastest);
    for (const dropped of measurement.dropped) this.#dropped.push({ shapeClass: name, ...dropped });
  }

  /** One product of each shape class, with its variants, where there is a choice. */
  #productsOf(program: Program): Map<string, { product: Product; variants: Variant[] }> {
    const products = new Map<string, { product: Product; variants: Variant[] }>();
    const chooseVariant = (product: Product, context: LoweringContext) => {
      const name = shapeClass(product, context);
      if (products.has(name) || context.dtype(product.output) !== 'f32') return undefined;
      const variants = this.#candidates(product, context);
      if (variants.length > 1) products.set(name, { product, variants });
      return variants[0];
    };
    for (const kernel of program.kernels) {
      if (describeKernel(kernel).family !== 'product') continue;
      lowerKernel(kernel, kernelContext({ program, ...this.#tools, chooseVariant }).context);
    }
    return products;
  }

  async #load(): Promise<void> {
    if (!this.#store) return;
    const stored = await withoutFail(this.#key().then((key) => this.#store!.load(key)));
    for (const [name, variant] of Object.entries(usableEntries(stored) ?? {})) this.#stored.set(name, variant);
  }

  async #save(entries: Record<string, string>): Promise<void> {
    if (this.#store) await withoutFail(this.#key().then((key) => this.#store!.save(key, entries)));
  }
}

/** What the store answers; undefined where it fails or takes too long. */
async function withoutFail<T>(answer: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), 1000 * STORE_SECONDS);
  });
  return await Promise.race([answer.catch(() => undefined), late]).finally(() => clearTimeout(timer));
}
