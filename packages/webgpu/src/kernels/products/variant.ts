/** @file A way to compute a product, and lists of them. */
import type { Dispatch, LoweringContext } from '../../lowering.js';
import type { Product } from './product.js';

export interface Variant {
  /** Tells it from the other candidates of the same product; what a tuning remembers. */
  name: string;
  lower(product: Product, context: LoweringContext): Dispatch[];
}

/** What lowering a kernel that is a product may ask beside. */
export interface ProductContext extends LoweringContext {
  /** Which way to compute a product; undefined, or absent, is the default by adapter and shape. */
  chooseVariant?(product: Product, context: LoweringContext): Variant | undefined;
}

/** The ways to compute a product on a device, the one to take without measuring first. */
export type Candidates = (product: Product, context: LoweringContext) => [Variant, ...Variant[]];
