/** @file `--profile`: where the time of our engine goes in each row, as tables and Chrome traces. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineProcess } from './engine-process.js';
import { type Options, SCALING } from './options.js';

const FOLDER = fileURLToPath(new URL('../profile', import.meta.url));
const TIMEOUT_SECONDS = 240;

export async function profileRows({ rows, backends, quick }: Options): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  for (const backend of backends) {
    for (const row of rows.filter((name) => name !== SCALING)) {
      const { engine, description, software } = await EngineProcess.open({
        name: 'ours',
        backend,
        timeoutSeconds: TIMEOUT_SECONDS,
      });
      try {
        await engine.prepare(row, quick || software);
        const profile = await engine.profile();
        if (!profile) continue;
        const file = join(FOLDER, `${row}-${backend}.json`);
        writeFileSync(file, JSON.stringify(profile.trace));
        console.log(`${row} on ${backend}, ${description}\n${profile.table}`);
        console.log(`trace for chrome://tracing or ui.perfetto.dev: ${relative(process.cwd(), file)}\n`);
      } finally {
        await engine.close();
      }
    }
  }
}
