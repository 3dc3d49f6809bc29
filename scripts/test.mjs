/** @file `npm test [-- jest arguments]`: sets up, runs the tests, ends with how many passed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInForeground } from './lib/processes.mjs';
import { setupOrExit } from './setup.mjs';

const { environment } = await setupOrExit({ webgpu: true, nodes: true });
const folder = mkdtempSync(join(tmpdir(), 'transfusion-test-'));
const resultsFile = join(folder, 'results.json');
const jest = ['node_modules/jest/bin/jest.js', '--json', `--outputFile=${resultsFile}`, ...process.argv.slice(2)];

try {
  process.exitCode = await runInForeground(jest, { env: environment });
  console.log(summary(readResults()));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function readResults() {
  try {
    return JSON.parse(readFileSync(resultsFile, 'utf8'));
  } catch {
    return undefined;
  }
}

/** A file that could not run at all counts as one failure, and so does a run that wrote no results. */
function summary(results) {
  if (!results) return `0 passed, ${process.exitCode === 0 ? 0 : 1} failed`;
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  const skipped = results.numPendingTests + results.numTodoTests;
  return `${results.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
