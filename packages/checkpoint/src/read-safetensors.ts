/** @file Tensors of safetensors files in memory: https://huggingface.co/docs/safetensors. */
import { nearestName } from '@transfusion/core';
import { asBytes, type Bytes } from './bytes.js';
import { CheckpointError } from './errors.js';
import { SIGNATURE_BYTES } from './foreign-file.js';
import { parseHeader, readHeaderLength, type SafetensorsHeader } from './safetensors-header.js';
import { toFloat32 } from './to-float32.js';
import type { TensorData } from './write-safetensors.js';

export type Tensors = Map<string, TensorData<Float32Array>>;

/**
 * The header of a file that is in memory.
 *
 * @param where names the file in errors
 * @throws CheckpointError CHECKPOINT_FORMAT, CHECKPOINT_ARGUMENT
 */
export function readSafetensorsHeader(file: Bytes, where: string): SafetensorsHeader {
  const bytes = asBytes(file, where);
  const length = readHeaderLength(bytes.subarray(0, SIGNATURE_BYTES), bytes.length, where);
  return parseHeader(bytes.subarray(8, 8 + length), bytes.length, where);
}

/**
 * Reads tensors of a file in memory, as f32: all, or those named.
 *
 * @param where names the file in errors
 * @throws CheckpointError CHECKPOINT_FORMAT: no safetensors file, or damaged; CHECKPOINT_CONTENT: a tensor's dtype is not
 *   supported, or there is none of a name; CHECKPOINT_ARGUMENT: no bytes
 */
export function readSafetensors(file: Bytes, where = 'safetensors file', names?: Iterable<string>): Tensors {
  const bytes = asBytes(file, where);
  const entries = new Map(readSafetensorsHeader(bytes, where).tensors.map((entry) => [entry.name, entry]));
  const tensors: Tensors = new Map();
  for (const name of names ?? entries.keys()) {
    const entry = entries.get(name);
    if (!entry) throw missingTensor(name, [...entries.keys()], where);
    const data = toFloat32(entry, bytes.subarray(entry.begin, entry.end), where);
    tensors.set(name, { shape: entry.shape, data });
  }
  return tensors;
}

/** There is no tensor of that name. */
export function missingTensor(name: string, known: string[], where: string): CheckpointError {
  const nearest = nearestName(name, known);
  return new CheckpointError({
    code: 'CHECKPOINT_CONTENT',
    message: `${where} has ${known.length} tensors, none named ${JSON.stringify(name)}${nearest ? ` (the nearest is ${JSON.stringify(nearest)})` : ''}`,
    fix: 'give the file of the model that has it, or ask for a tensor of this one',
  });
}
