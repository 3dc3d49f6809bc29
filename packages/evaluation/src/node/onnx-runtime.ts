/** @file ONNX Runtime: what is used of it, and its package for Node, which not everybody needs. */
import { TransfusionError } from '@transfusion/core';

export interface OnnxTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** Of an input or output: a size is a number, or a name where it is open. */
export interface OnnxValue {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

export interface OnnxSession {
  readonly inputMetadata: readonly OnnxValue[];
  readonly outputMetadata: readonly OnnxValue[];
  run(feeds: Record<string, OnnxTensor>, fetches: readonly string[]): Promise<Record<string, unknown>>;
  release(): Promise<void>;
}

/** Such as `import * as runtime from 'onnxruntime-node'`. */
export interface OnnxRuntime {
  InferenceSession: {
    create(
      path: string,
      options: { executionProviders?: string[]; logSeverityLevel?: 0 | 1 | 2 | 3 | 4 },
    ): Promise<OnnxSession>;
  };
  Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OnnxTensor;
}

/**
 * @param load for tests
 * @throws TransfusionError EVALUATION_ONNX_MISSING: it is not installed; EVALUATION_ONNX_BROKEN: it is, and does not load
 */
export async function loadOnnxRuntime(
  // As a string it needs no types, which are not installed either.
  load: () => Promise<OnnxRuntime> = () => import('onnxruntime-node' as string),
): Promise<OnnxRuntime> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (/^(ERR_)?MODULE_NOT_FOUND$/.test(code ?? '') && /(package|module) 'onnxruntime-node'/.test(message)) {
      throw new TransfusionError({
        code: 'EVALUATION_ONNX_MISSING',
        message: 'ONNX files need the package "onnxruntime-node", which is not installed',
        fix: 'npm install onnxruntime-node@^1.22.0 (it takes 300 MB), or give a runtime of your own (`runtime`)',
        cause: error,
      });
    }
    throw new TransfusionError({
      code: 'EVALUATION_ONNX_BROKEN',
      message: `ONNX files need the package "onnxruntime-node", which is installed and does not load: ${message}`,
      fix: 'install it anew, on this machine and for this Node',
      cause: error,
    });
  }
}
