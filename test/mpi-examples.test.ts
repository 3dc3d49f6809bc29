/** @file The files for clusters: what can be known of them without a cluster. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

const { load } = createRequire(__filename)('js-yaml') as { load(text: string): unknown };
const run = promisify(execFile);
const examples = resolve('examples');
const folder = mkdtempSync(join(tmpdir(), 'transfusion-slurm-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of pods, what is used. Names that are not known are errors, as they are to Kubernetes. */
const quantity = z.union([z.int().positive(), z.string().regex(/^\d+(m|Mi|Gi)?$/)]);
const resources = z.record(z.enum(['cpu', 'memory', 'nvidia.com/gpu']).or(z.string()), quantity);
const container = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  image: z.string(),
  command: z.array(z.string()).nonempty(),
  args: z.array(z.string()),
  resources: z.strictObject({ requests: resources, limits: resources }),
  volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string().startsWith('/') })),
});
const volume = z.strictObject({
  name: z.string(),
  persistentVolumeClaim: z.strictObject({ claimName: z.string() }).optional(),
  emptyDir: z.strictObject({ medium: z.literal('Memory'), sizeLimit: z.string() }).optional(),
});
const replicas = z.strictObject({
  replicas: z.int().positive(),
  restartPolicy: z.enum(['Never', 'OnFailure']).optional(),
  template: z.strictObject({
    spec: z.strictObject({
      terminationGracePeriodSeconds: z.int(),
      containers: z.array(container).length(1),
      volumes: z.array(volume),
    }),
  }),
});
/** Fields of kubeflow.org/v2beta1, from the types of the MPI operator. */
const mpiJob = z.strictObject({
  apiVersion: z.literal('kubeflow.org/v2beta1'),
  kind: z.literal('MPIJob'),
  metadata: z.strictObject({ name: z.string().regex(/^[a-z0-9-]{1,63}$/) }),
  spec: z.strictObject({
    slotsPerWorker: z.int().positive().optional(),
    runLauncherAsWorker: z.boolean().optional(),
    runPolicy: z.strictObject({
      cleanPodPolicy: z.enum(['None', 'Running', 'All']).optional(),
      ttlSecondsAfterFinished: z.int().optional(),
      activeDeadlineSeconds: z.int().optional(),
      backoffLimit: z.int().optional(),
      suspend: z.boolean().optional(),
    }),
    mpiReplicaSpecs: z.strictObject({ Launcher: replicas, Worker: replicas }),
    sshAuthMountPath: z.string().optional(),
    launcherCreationPolicy: z.enum(['AtStartup', 'WaitForWorkersReady']).optional(),
    mpiImplementation: z.enum(['OpenMPI', 'Intel', 'MPICH']).optional(),
  }),
});

test('mpijob.yaml has the fields of an MPIJob, and as many ranks as it has slots and GPUs', () => {
  const { spec } = mpiJob.parse(load(readFileSync(join(examples, 'kubernetes/mpijob.yaml'), 'utf8')));
  const { Launcher, Worker } = spec.mpiReplicaSpecs;
  for (const { template } of [Launcher, Worker]) {
    const [{ volumeMounts }] = template.spec.containers;
    expect(volumeMounts.map(({ name }) => name).sort()).toEqual(template.spec.volumes.map(({ name }) => name).sort());
  }
  const [launcher] = Launcher.template.spec.containers;
  const [worker] = Worker.template.spec.containers;
  expect(launcher.image).toBe(worker.image);
  expect(worker.resources.limits['nvidia.com/gpu']).toBe(spec.slotsPerWorker);
  const ranks = Number(/ -n (\d+) /.exec(launcher.args[0])?.[1]);
  expect(ranks).toBe(Worker.replicas * (spec.slotsPerWorker ?? 1));
});

const onPosix = process.platform === 'win32' ? test.skip : test;

onPosix('the shell of mpijob.yaml, of the Slurm script and of the Dockerfile is shell', async () => {
  const { spec } = mpiJob.parse(load(readFileSync(join(examples, 'kubernetes/mpijob.yaml'), 'utf8')));
  const [{ args }] = spec.mpiReplicaSpecs.Launcher.template.spec.containers;
  await run('/bin/sh', ['-n', '-c', args[0]]);
  await run('bash', ['-n', join(examples, 'slurm/train.sbatch')]);
  const dockerfile = readFileSync(join(examples, 'docker/Dockerfile'), 'utf8').replace(/\\\n/g, ' ');
  for (const [, command] of dockerfile.matchAll(/^RUN (.*)$/gm)) await run('/bin/sh', ['-n', '-c', command]);
  const known = /^(#.*|FROM .+|WORKDIR .+|COPY .+|RUN .+|ENV .+|ENTRYPOINT \[.+\]|CMD \[.+\]|)$/;
  for (const line of dockerfile.split('\n')) expect(line).toMatch(known);
});

/** An `srun` that ends with one code after the other, and writes down what it was asked for. */
function fakeSrun(codes: readonly number[]): { path: string; asked(): string[] } {
  const place = mkdtempSync(join(folder, 'bin-'));
  const log = join(place, 'log');
  writeFileSync(log, '');
  const script = `#!/bin/sh
echo "$@" >> ${log}
n=$(wc -l < ${log})
set -- ${codes.join(' ')}
shift $((n - 1))
exit $1
`;
  writeFileSync(join(place, 'srun'), script);
  chmodSync(join(place, 'srun'), 0o755);
  return { path: place, asked: () => readFileSync(log, 'utf8').trimEnd().split('\n') };
}

async function submit(codes: readonly number[], args: readonly string[], cwd: string, least = '0') {
  const { path, asked } = fakeSrun(codes);
  const env = { ...process.env, PATH: `${path}:${process.env.PATH}`, LEAST_SECONDS: least };
  const code = await run('bash', [join(examples, 'slurm/train.sbatch'), ...args], { env, cwd }).then(
    () => 0,
    (error: { code: number }) => error.code,
  );
  return { code, asked: asked() };
}

const step = (words: string) => `--mpi=pmi2 --kill-on-bad-exit=1 npx trainer train ${words}`;

onPosix('the Slurm script starts again after a rank was lost, from the checkpoint once there is one', async () => {
  const cwd = mkdtempSync(join(folder, 'run-'));
  expect(await submit([137, 0], ['--preset', 'emoji-64'], cwd)).toEqual({
    code: 0,
    asked: [step('--preset emoji-64'), step('--preset emoji-64')],
  });
  mkdirSync(join(cwd, 'runs/emoji-64/model'), { recursive: true });
  writeFileSync(join(cwd, 'runs/emoji-64/model/trainer_state.json'), '{}');
  expect(await submit([1, 137, 0], ['--preset', 'emoji-64'], cwd)).toEqual({
    code: 0,
    asked: [step('--preset emoji-64'), step('--resume runs/emoji-64'), step('--resume runs/emoji-64')],
  });
  expect(await submit([1, 1, 1, 1, 0], ['--resume', 'runs/emoji-64'], cwd)).toMatchObject({
    code: 1,
    asked: { length: 4 },
  });
  expect(await submit([2, 0], ['--preset', 'emojis'], cwd)).toMatchObject({ code: 2, asked: { length: 1 } });
  // Slurm tells 137 of a mistake, too, but at once.
  expect(await submit([137, 0], ['--preset', 'emojis'], cwd, '')).toMatchObject({ code: 137, asked: { length: 1 } });
});
