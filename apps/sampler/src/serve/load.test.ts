/** @file The load test's script for some seconds. `TRANSFUSION_LOAD_SECONDS` makes them more. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { tinyServers } from './testing/tiny-server.js';

const SECONDS = Number(process.env.TRANSFUSION_LOAD_SECONDS ?? 10);

const servers = tinyServers();

test('many clients, a quarter of them cancelled or malformed: every answer is what it is alone, and memory stays', async () => {
  const { address, logged } = await servers.start({ processMetrics: true, limits: { concurrency: 4, queue: 4 } });
  const script = resolve('apps/sampler/scripts/load.mjs');
  const given = ['--url', address, '--clients', '12', '--seconds', String(SECONDS)];
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...given]).catch((error) => {
    throw new Error(`${error.message}\n${error.stdout}`);
  });
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ different: 0, faults: 0, wrong: 0, problems: [] });
  for (const kind of ['accepted', 'cancelled', 'refused', 'busy']) expect(result[kind]).toBeGreaterThan(0);
  expect(logged).toEqual([]);
});
