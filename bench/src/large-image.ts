/**
 * @file `node bench/dist/large-image.js`: time and memory of one large image through the KL autoencoder of the paper's size,
 * on the CPU, with random weights; what was foretold beside what the process took at most.
 */
import { parseArgs } from 'node:util';
import { initialise } from '@transfusion/nn';
import { flattenTree } from '@transfusion/tensor';
import { exportWeights, KlCodec, klConfigSchema, klPresets, klSpec } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';

const USAGE = `node bench/dist/large-image.js [--size 1024] [--preset paper]

  --size N        side of the square image in pixels, a multiple of 8 (default: 1024, some minutes on 2 cores)
  --preset NAME   ${Object.keys(klPresets).join(', ')} (default: paper)
`;

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1024' },
    preset: { type: 'string', default: 'paper' },
    help: { type: 'boolean', short: 'h' },
  },
});
const side = Number(values.size);
if (values.help || !(values.preset in klPresets) || !Number.isInteger(side) || side < 8 || side % 8 !== 0) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}

const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
/** The most memory of the process so far. */
const peak = () => process.resourceUsage().maxRSS * 1024;

const config = klConfigSchema.parse(klPresets[values.preset as keyof typeof klPresets]);
const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;
const parameters = flattenTree<Float32Array>(initialise(klSpec(config), 0), isArray);
const backend = await openWasm();
const codec = new KlCodec({ backend, config, weights: exportWeights({ config, values: parameters }) });
const size = { height: side, width: side };
const memory = await codec.memory(size);
const before = peak();
console.log(`${values.preset}: ${[...parameters.values()].reduce((sum, { length }) => sum + length, 0)} parameters`);
console.log(`before: ${gibibytes(before)} of the process, weights included`);
for (const [what, { hostBytes, deviceBytes }] of Object.entries(memory)) {
  console.log(`${what}: foretold ${gibibytes(hostBytes)} on the host, ${gibibytes(deviceBytes)} on the device`);
}

const image = Float32Array.from({ length: side * side * 3 }, (_, i) => Math.sin(i / 97) * Math.cos(i / 7919));
const latents = await timed('encode', () => codec.encode({ ...size, images: [image] }));
const images = await timed('decode', () => codec.decode({ ...size, latents }));
if (![...latents, ...images].every((array) => array.every(Number.isFinite)))
  throw new Error('not all values are finite');
const { hostBytes, deviceBytes } = memory.decode;
console.log(
  `at most: ${gibibytes(peak())} of the process; before and foretold: ${gibibytes(before + hostBytes + deviceBytes)}`,
);
codec.dispose();
await backend.dispose();

async function timed<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const start = performance.now();
  const result = await work();
  console.log(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s, at most ${gibibytes(peak())} so far`);
  return result;
}
