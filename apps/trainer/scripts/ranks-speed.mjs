/**
 * @file Ranks of one thread each beside one process of as many threads, on the same run: tokens per second, and the share of a step in
 * which a rank waits for others or for what they send. Alternating rounds, medians. After a build:
 *
 *   node apps/trainer/scripts/ranks-speed.mjs [--ranks 2] [--rounds 3] [--steps 12] [--preset emoji] [--set key=value …]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    ranks: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '12' },
    preset: { type: 'string', default: 'emoji' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const [ranks, rounds, steps] = [values.ranks, values.rounds, values.steps].map(Number);
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const runs = mkdtempSync(join(tmpdir(), 'transfusion-ranks-speed-'));

const alone = [];
const shared = [];
try {
  for (let round = 0; round < rounds; round++) {
    alone.push(measured(`alone-${round}`, ['--threads', `${ranks}`]));
    shared.push(measured(`shared-${round}`, ['--threads', '1', '--ranks', `${ranks}`]));
  }
} finally {
  rmSync(runs, { recursive: true, force: true });
}
const show = (name, all) => {
  const speed = median(all.map(({ tokensPerSecond }) => tokensPerSecond));
  const communication = median(all.map(({ communication = 0 }) => communication));
  console.log(
    `${name}: ${speed.toFixed(0)} tokens/s, ${(100 * communication).toFixed(1)} % of a step in communication`,
  );
  return speed;
};
const one = show(`1 process of ${ranks} threads`, alone);
const many = show(`${ranks} ranks of 1 thread`, shared);
console.log(`ratio ${(many / one).toFixed(3)}`);

/** The means of the second half of a run's steps. */
function measured(name, more) {
  const fields = { name, steps, logEvery: 1, checkpointEvery: steps, 'sample.every': 0, 'batch.accumulation': ranks };
  const set = [...Object.entries(fields).map(([key, value]) => `${key}=${value}`), ...values.set];
  const argv = ['train', '--preset', values.preset, '--backend', 'wasm', '--runs', runs, ...more];
  execFileSync(process.execPath, [cli, ...argv, ...set.flatMap((each) => ['--set', each])], { stdio: 'pipe' });
  const lines = readFileSync(join(runs, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const last = lines.slice(Math.floor(lines.length / 2));
  return {
    tokensPerSecond: median(last.map(({ tokensPerSecond }) => tokensPerSecond)),
    communication: median(last.map(({ communication = 0 }) => communication)),
  };
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}
