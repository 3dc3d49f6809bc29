/** @file The choice of variants by measurement: what is known, and measuring what a program needs that is not. */
import { describeKernel, type Program } from '@transfusion/tensor';
import { type AttentionPart, type AttentionPlan, type AttentionPlans, planName } from '../kernels/attention/plan.js';
import { lowerKernel } from '../kernels/index.js';
import type { Product } from '../kernels/products/product.js';
import type { Candidates, Variant } from '../kernels/products/variant.js';
import type { LoweringContext } from '../lowering.js';
import { kernelContext } from '../runtime/kernel-context.js';
import { PipelineCache } from '../runtime/pipelines.js';
import { attentionWay, benchedAttention } from './attention-bench.js';
import type { Benched, BenchTools, Way } from './kernel-bench.js';
import { type DroppedVariant, type Measurement, measureWays } from './measure.js';
import { benchedProduct, productWay } from './product-bench.js';
import { attentionClass, shapeClass } from './shape-class.js';
import { type TuningStore, usableEntries } from './store.js';

/** What measuring did since the backend was opened. */
export interface TuningSummary {
  /** Shape classes of kernels that were measured. */
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

/** Something that can be computed in several ways. */
interface Choice {
  benched: Benched;
  ways: Way[];
}

/** Families of kernels among which there are choices. */
const FAMILIES: readonly string[] = ['product', 'attention'];

/** A store that does not answer by then is done without. */
const STORE_SECONDS = 5;

export class Tuner {
  readonly #tools: Omit<BenchTools, 'pipelines'>;
  readonly #candidates: Candidates;
  readonly #plans: AttentionPlans;
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
    plans: AttentionPlans;
    store: TuningStore | undefined;
    /** The store's key for this adapter and these kernels. */
    key: () => Promise<string>;
  }) {
    this.#tools = options.tools;
    this.#candidates = options.candidates;
    this.#plans = options.plans;
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

  /** The variant that is known to be the fastest; undefined where none is. */
  choose(product: Product, context: LoweringContext): Variant | undefined {
    const known = this.#known(shapeClass(product, context));
    return known === undefined ? undefined : this.#candidates(product, context).find(({ name }) => name === known);
  }

  /** The plan that is known to be the fastest; undefined where none is. */
  choosePlan(part: AttentionPart, context: LoweringContext): AttentionPlan | undefined {
    const known = this.#known(attentionClass(part, context));
    return known === undefined ? undefined : this.#plans(part, context).find((plan) => planName(plan) === known);
  }

  /** Measures the shape classes among the program's kernels that are not known yet. */
  tune(program: Program): Promise<void> {
    const tuning = this.#queue.then(() => this.#tune(program));
    this.#queue = tuning.catch(() => {});
    return tuning;
  }

  #known(name: string): string | undefined {
    return this.#measured.get(name) ?? this.#stored.get(name);
  }

  async #tune(program: Program): Promise<void> {
    const choices = this.#choicesOf(program);
    if (choices.size === 0) return;
    this.#loaded ??= this.#load();
    await this.#loaded;
    const unknown = [...choices].filter(([name, { ways }]) => {
      const stored = this.#stored.get(name);
      const isStored = stored !== undefined && ways.some((way) => way.name === stored);
      if (isStored) this.#reused.add(name);
      return !isStored && !this.#measured.has(name) && !this.#unmeasured.has(name);
    });
    if (unknown.length === 0) return;
    const start = performance.now();
    // Kept until all are measured: classes share pipelines.
    const tools = { ...this.#tools, pipelines: new PipelineCache(this.#tools.device) };
    const entries: Record<string, string> = {};
    for (const [name, { benched, ways }] of unknown) {
      const measurement = await measureWays(benched, ways, tools).catch(() => undefined);
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

  /** One kernel of each shape class, with the ways to compute it, where there is a choice. */
  #choicesOf(program: Program): Map<string, Choice> {
    const choices = new Map<string, Choice>();
    const chooseVariant = (product: Product, context: LoweringContext) => {
      const name = shapeClass(product, context);
      if (choices.has(name) || context.dtype(product.output) !== 'f32') return undefined;
      const variants = this.#candidates(product, context);
      const ways = variants.map((variant) => productWay(variant, product));
      if (ways.length > 1) choices.set(name, { benched: benchedProduct({ product, program }), ways });
      return variants[0];
    };
    const choosePlan = (part: AttentionPart, context: LoweringContext) => {
      const name = attentionClass(part, context);
      if (choices.has(name)) return undefined;
      const plans = this.#plans(part, context);
      const ways = plans.map((plan) => attentionWay(part, plan));
      if (ways.length > 1) choices.set(name, { benched: benchedAttention(part, program), ways });
      return plans[0];
    };
    for (const kernel of program.kernels) {
      if (!FAMILIES.includes(describeKernel(kernel).family)) continue;
      lowerKernel(kernel, kernelContext({ program, ...this.#tools, chooseVariant, choosePlan }).context);
    }
    return choices;
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
