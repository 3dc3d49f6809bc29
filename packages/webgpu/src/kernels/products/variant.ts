/** @file A way to compute a product, and lists of them. */
import type { Dispatch, LoweringContext } from '../../lowering.js';
import type { Product } from './product.js';

export interface Variant {
  /** Tells it from the other candidates of the same product; what a tuning remembers. */
  name: string;
  lower(product: Product, context: LoweringContext): Dispatch[];
}

/** The ways to compute a product on a device, the one to take without measuring first. */
export type Candidates = (product: Product, context: LoweringContext) => [Variant, ...Variant[]];
