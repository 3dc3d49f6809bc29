/** @file The folder of a network on disk. */
import { openCheckpoint } from '@transfusion/checkpoint/node';
import { readEncoderFiles, type StoredEncoder } from '../encoders/stored-encoder.js';

/** @throws as `readEncoder` */
export function readEncoderFolder(path: string): Promise<StoredEncoder> {
  return openCheckpoint(path, readEncoderFiles);
}
