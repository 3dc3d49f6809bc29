/**
 * @file Pictures per second of a stream beside those of decoding alone, on emoji of 64 x 64 pixels in 50 tar shards: from the disk, from a
 * server on the loopback interface, and from one that fails one request in ten. After `npm run build`:
 *
 *   node packages/data/scripts/stream-speed.mjs [pictures, default 1000] [epochs, default 3]
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { memorySource, openShard, streamBatches } from '@transfusion/data';
import { decodeFittedImage, loadEmoji, openImageStream, writeShards } from '@transfusion/data/node';

const SIZE = 64;
const BATCH = 50;
/** As many as a stream decodes at once. */
const AT_ONCE = 8;
const [count, epochs] = [Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 3)];

const require = createRequire(import.meta.url);
const folder = await mkdtemp(join(tmpdir(), 'stream-speed-'));
const emoji = dirname(require.resolve('emoji-datasource-twitter/package.json'));
const { images } = await loadEmoji({
  styles: [{ folder: join(emoji, 'img', 'twitter', '64') }],
  captionsFile: require.resolve('emojibase-data/en/data.json'),
  ...{ size: SIZE, count },
});
const list = await writeShards({ images, folder, name: 'emoji', samplesPerShard: Math.ceil(images.length / 50) });
const files = new Map();
for (const { file, index } of list.shards) {
  for (const name of [file, index]) files.set(`/${name}`, await readFile(join(folder, name)));
}
files.set('/index.json', await readFile(join(folder, 'index.json')));
const bytes = list.shards.reduce((sum, shard) => sum + shard.bytes, 0);
console.log(
  `${images.length} pictures of ${SIZE} x ${SIZE} in ${list.shards.length} shards, ${(bytes / 1e6).toFixed(1)} MB`,
);

let requests = 0;
let failsOneInTen = false;
const server = createServer((request, response) => {
  const file = files.get(request.url);
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const [begin, end] = [Number(first), Math.min(Number(last) + 1, file.length)];
  const headers = { 'content-range': `bytes ${begin}-${end - 1}/${file.length}`, 'content-length': end - begin };
  if (failsOneInTen && requests++ % 10 === 9) {
    if (requests % 20 === 0) response.writeHead(503).end();
    else response.writeHead(206, headers).write(file.subarray(begin, (begin + end) >> 1), () => response.destroy());
  } else response.writeHead(206, headers).end(file.subarray(begin, end));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}/index.json`;

/** Once to warm up; then the best of the epochs. */
async function measured(label, epoch) {
  await epoch();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < epochs; i++) {
    const begun = performance.now();
    await epoch();
    best = Math.min(best, performance.now() - begun);
  }
  const perSecond = (1000 * images.length) / best;
  console.log(`${label.padEnd(34)}${perSecond.toFixed(0).padStart(7)} pictures/s`);
  return perSecond;
}

const encoded = [];
for (const { file } of list.shards) {
  const shard = await openShard(memorySource(file, files.get(`/${file}`)));
  for (const piece of shard.pieces) encoded.push(...(await shard.read(piece)));
}
const alone = await measured('decoding alone', async () => {
  let next = 0;
  const decode = async () => {
    while (next < encoded.length) {
      await decodeFittedImage(encoded[next++], [{ width: SIZE, height: SIZE }], { where: 'emoji' });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, decode));
});

async function streamed(label, shards) {
  // Anew for every epoch: all is read again.
  const speed = await measured(label, async () => {
    const { stream } = await openImageStream({ shards: [shards], size: SIZE, http: { delayMs: 1 } });
    let seen = 0;
    for await (const { pictures } of streamBatches(stream, { seed: 1, batchSize: BATCH })) {
      seen += pictures.length;
      if (seen >= images.length) break;
    }
  });
  console.log(`${' '.repeat(34)}${((100 * speed) / alone).toFixed(0).padStart(7)} % of decoding alone`);
}
await streamed('stream from the disk', folder);
await streamed('stream from a server', url);
failsOneInTen = true;
await streamed('... that fails one request in ten', url);
server.closeAllConnections();
server.close();
await rm(folder, { recursive: true });
