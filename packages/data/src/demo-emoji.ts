/** @file The demo set: well-known single emoji that look unlike each other and have short unique labels. */
import { TransfusionError } from '@transfusion/core';

/**
 * Hexcodes as in emojibase, chosen for variety of colour and shape. The first 32 are the small demo set; both the order
 * and the list are part of what "the demo set of N" means.
 */
const HEXCODES = [
  ...['2764', '1F34C', '1F433', '1F332', '1F600', '26BD', '1F347', '1F480', '1F697', '1F31E', '1F438', '1F3E0'],
  ...['1F355', '1F308', '1F511', '1F437', '1F3C0', '1F340', '1F319', '1F34E', '2602', '1F43C', '1F680', '1F33B'],
  ...['1F525', '2B50', '1F98B', '1F4A1', '2744', '1F419', '1F349', '1F451'],
  ...['1F436', '1F431', '1F427', '1F353', '1F344', '1F335', '1F34B', '1F955', '1F354', '1F369', '1F382', '2615'],
  ...['2603', '1F4A3', '26A1', '1F6D1', '1F514', '1F388', '1F381', '1F3C6', '1F3B8', '1F4F7', '1F4D7', '1F48E'],
  ...['1F47B', '1F47D', '1F916', '1F98A', '1F41D', '26F5', '1F68C', '1F339'],
];

/** The first `count` (at most 64) emoji of the demo set, as emojibase hexcodes. */
export function demoEmoji(count = 32): string[] {
  if (!Number.isInteger(count) || count < 1 || count > HEXCODES.length) {
    throw new TransfusionError({
      code: 'DATA_DEMO_COUNT',
      message: `demoEmoji: count is ${count}, expected an integer from 1 to ${HEXCODES.length}`,
    });
  }
  return HEXCODES.slice(0, count);
}
