/** @file Named configurations: small files that override the defaults. */
import type { RunConfigInput } from '../config/run-config.js';
import { chameleon } from './chameleon.js';
import { demo } from './demo.js';
import { emoji } from './emoji.js';
import { emoji64 } from './emoji-64.js';
import { emojiLatent } from './emoji-latent.js';
import { paper1b, paper7b } from './paper.js';
import { tiny } from './tiny.js';

export const presets: Readonly<Record<string, RunConfigInput>> = {
  demo,
  chameleon,
  emoji,
  'emoji-64': emoji64,
  'emoji-latent': emojiLatent,
  tiny,
  '1.4b': paper1b,
  '7b': paper7b,
};
