import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MetricsFile, readMetrics } from './index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-metrics-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('metrics.jsonl', () => {
  test('appends and reads, across openings', async () => {
    const path = join(folder, 'run', 'metrics.jsonl');
    expect(await readMetrics(path)).toEqual([]);
    const first = await MetricsFile.open(path);
    expect(await readFile(path, 'utf8')).toBe('');
    await first.append({ step: 1, loss: 0.5 });
    const second = await MetricsFile.open(path);
    await second.append({ step: 2, loss: Number.NaN });
    expect(await readMetrics(path)).toEqual([
      { step: 1, loss: 0.5 },
      { step: 2, loss: null },
    ]);
  });

  test('every way to tear the last line is mended on resume', async () => {
    const path = join(folder, 'metrics.jsonl');
    const whole = '{"step":1}\n{"step":2}\n';
    const third = '{"step":3,"loss":0.25}\n';
    for (let cut = 0; cut < third.length; cut++) {
      await writeFile(path, whole + third.slice(0, cut));
      expect(await readMetrics(path)).toEqual([{ step: 1 }, { step: 2 }]);
      const file = await MetricsFile.open(path);
      await file.append({ step: 3, loss: 0.25 });
      expect(await readFile(path, 'utf8')).toBe(whole + third);
    }
  });

  test('resuming drops the records of steps that are trained again', async () => {
    const path = join(folder, 'metrics.jsonl');
    await writeFile(path, '{"step":1}\n{"note":"x"}\n{"step":2}\n{"step":3}\n{"st');
    await MetricsFile.open(path, { resumeStep: 2 });
    expect(await readMetrics(path)).toEqual([{ step: 1 }, { note: 'x' }, { step: 2 }]);
  });

  test('a damaged line in the middle is named, an unwritable path too', async () => {
    const path = join(folder, 'metrics.jsonl');
    await writeFile(path, '{"step":1}\nnonsense\n{"step":2}\n');
    await expect(readMetrics(path)).rejects.toThrow(/CHECKPOINT_FORMAT.*metrics\.jsonl: line 2.*nonsense/);
    await appendFile(join(folder, 'file'), '');
    await expect(MetricsFile.open(join(folder, 'file', 'metrics.jsonl'))).rejects.toThrow(
      /CHECKPOINT_(READ|WRITE)_FAILED/,
    );
  });
});
