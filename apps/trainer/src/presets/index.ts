/** @file Named configurations: small files that override the defaults. */
import type { RunConfigInput } from '../config/run-config.js';
import { chameleon } from './chameleon.js';
import { demo } from './demo.js';
import { emoji } from './emoji.js';
import { emojiEdit } from './emoji-edit.js';
import { emojiLatent } from './emoji-latent.js';
import { tiny } from './tiny.js';

export const presets: Readonly<Record<string, RunConfigInput>> = {
  demo,
  chameleon,
  emoji,
  'emoji-edit': emojiEdit,
  'emoji-latent': emojiLatent,
  tiny,
};
