/** @file Named configurations: small files that override the defaults. */
import type { RunConfigInput } from '../config/run-config.js';
import { demo } from './demo.js';
import { emoji } from './emoji.js';
import { emojiLatent } from './emoji-latent.js';
import { tiny } from './tiny.js';

export const presets: Readonly<Record<string, RunConfigInput>> = { demo, emoji, 'emoji-latent': emojiLatent, tiny };
