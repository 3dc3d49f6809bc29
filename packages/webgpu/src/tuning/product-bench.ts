/** @file A product of a program that is to be loaded, as something to run in different ways. */
import type { Program } from '@transfusion/tensor';
import type { Product } from '../kernels/products/product.js';
import type { Variant } from '../kernels/products/variant.js';
import { type Benched, type BenchTools, type CompiledWay, compileWay, KernelBench, type Way } from './kernel-bench.js';
import { toleratedPart } from './sample-data.js';

export interface BenchedProduct {
  product: Product;
  program: Pick<Program, 'buffers'>;
}

export function benchedProduct({ product, program }: BenchedProduct): Benched {
  const { a, b, output, epilogue, k } = product;
  const read = new Set([a.buffer, b.buffer, ...(epilogue?.views ?? []).map(({ buffer }) => buffer)]);
  read.delete(output);
  return {
    program,
    inputs: [...read].map((buffer) => ({ buffer })),
    outputs: [{ buffer: output, terms: k }],
    toleratedPart: toleratedPart(epilogue?.expression),
  };
}

export function productWay({ name, lower }: Variant, product: Product): Way {
  return { name, lower: (context) => lower(product, context) };
}

/** `compileWay` of a variant. */
export function compileVariant(variant: Variant, benched: BenchedProduct, tools: BenchTools): Promise<CompiledWay> {
  return compileWay(productWay(variant, benched.product), benched.program, tools);
}

/** `KernelBench` of a product. */
export const ProductBench = {
  open: (benched: BenchedProduct, variants: readonly CompiledWay[], tools: BenchTools): Promise<KernelBench> =>
    KernelBench.open(benchedProduct(benched), variants, tools),
};
