/** @file A line of a file of JSON lines. */
import { reason } from '@transfusion/core';
import { decodeText } from './decode-text.js';

/** What a line holds, or why that cannot be read; nothing where the line is blank. */
export function parseJsonLine(line: Uint8Array): { json: unknown } | { problem: string } | undefined {
  const decoded = decodeText(line);
  if ('problem' in decoded) return decoded;
  if (decoded.text.trim() === '') return undefined;
  try {
    return { json: JSON.parse(decoded.text) };
  } catch (error) {
    return { problem: `it is no JSON: ${reason(error)}` };
  }
}
