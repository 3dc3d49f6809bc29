/**
 * @file Many clients at once, for some seconds: mixed requests, a quarter of them cancelled or malformed. Every accepted answer is
 * compared with the one that its request gave alone, before; memory is watched.
 *
 * Usage: node apps/sampler/scripts/load.mjs [--url http://127.0.0.1:8080] [--clients 8] [--seconds 30] [--key KEY]
 *   [--growth 256] most MiB that the server's memory may grow after the first quarter of the time
 *   [--requests 10] distinct requests whose answers are compared
 *
 * Prints one line of JSON. Exit code 1: an answer differs, a status is 5xx, or memory grows.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    clients: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '30' },
    growth: { type: 'string', default: '256' },
    requests: { type: 'string', default: '10' },
    key: { type: 'string' },
  },
});
const { url, key } = values;
const [clients, seconds, growth, requests] = ['clients', 'seconds', 'growth', 'requests'].map((name) =>
  Number(values[name]),
);
const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };

/** As a number from 0 to 1 that a client draws: small, and the same in every run. */
function randomOf(seed) {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0;
    return state / 2 ** 32;
  };
}

const json = (path, body) => ({
  path,
  init: () => ({
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }),
});

/** An edit of a picture that the server drew. */
function edit(base64, prompt, seed) {
  return {
    path: '/v1/images/edits',
    init() {
      const form = new FormData();
      form.set('image', new Blob([Buffer.from(base64, 'base64')]), 'a.png');
      form.set('prompt', prompt);
      form.set('seed', String(seed));
      return { method: 'POST', headers, body: form };
    },
  };
}

/** Distinct requests of all kinds, each with a seed. */
async function kinds() {
  const first = await call(json('/v1/images/generations', { prompt: 'red heart', seed: 0 }));
  const [{ b64_json: picture }] = JSON.parse(first.text).data;
  const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${picture}` } };
  return Array.from({ length: requests }, (_, seed) => {
    const prompt = ['red heart', 'frog', 'blue car', 'apple'][seed % 4];
    const messages = [{ role: 'user', content: seed % 2 ? prompt : [image, { type: 'text', text: prompt }] }];
    const tools = [{ type: 'image_generation', partial_images: seed % 3 }];
    return [
      json('/v1/images/generations', { prompt, seed, n: 1 + (seed % 3) }),
      json('/v1/images/generations', { prompt, seed, stream: true, partial_images: seed % 4 }),
      edit(picture, prompt, seed),
      json('/v1/chat/completions', { messages, seed, max_tokens: 8, temperature: 0, stream: seed % 2 === 0 }),
      json('/v1/responses', {
        input: prompt,
        seed,
        max_output_tokens: 8,
        temperature: 0,
        tools,
        stream: seed % 2 === 1,
      }),
    ][seed % 5];
  });
}

const malformed = [
  json('/v1/images/generations', { prompt: 'x', n: -1 }),
  json('/v1/images/generations', { prompt: 'x', size: '30000x30000' }),
  json('/v1/chat/completions', {
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://x/' } }] }],
  }),
  json('/v1/responses', { input: 'x', model: '../../etc' }),
  edit('AAAA', 'x', 1),
];

async function call({ path, init }, signal) {
  const answer = await fetch(url + path, { ...init(), signal });
  return { status: answer.status, text: await answer.text(), retryAfter: answer.headers.get('retry-after') };
}

/** All pictures and texts of an answer; ids and times differ from run to run. */
function fingerprint(text) {
  const pieces = [];
  const walk = (value, name) => {
    if (
      typeof value === 'string' &&
      ['b64_json', 'url', 'content', 'result', 'partial_image_b64', 'text', 'delta'].includes(name)
    ) {
      pieces.push(`${name}:${value}`);
    } else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) walk(inner, key);
  };
  if (text.startsWith('{')) walk(JSON.parse(text), '');
  else {
    for (const line of text.split('\n')) {
      if (line.startsWith('data: {')) walk(JSON.parse(line.slice(6)), '');
    }
  }
  // Images of one request come in any order.
  return createHash('sha256').update(pieces.sort().join('\n')).digest('hex');
}

async function metric(name) {
  const text = await (await fetch(`${url}/metrics`, { headers })).text();
  return Number(new RegExp(`^${name}(\\{[^}]*\\})? (.*)$`, 'm').exec(text)?.[2] ?? Number.NaN);
}

const known = await kinds();
const expected = [];
for (const request of known) {
  const { status, text } = await call(request);
  if (status !== 200) throw new Error(`${request.path} alone: ${status} ${text.slice(0, 300)}`);
  expected.push(fingerprint(text));
}

const counts = { accepted: 0, different: 0, cancelled: 0, refused: 0, busy: 0, faults: 0, wrong: 0 };
const problems = [];
const problem = (kind, text) => {
  counts[kind]++;
  if (problems.length < 10) problems.push(text);
};
const end = performance.now() + seconds * 1000;
const milliseconds = [];

async function client(number) {
  const random = randomOf(number + 1);
  while (performance.now() < end) {
    const chance = random();
    if (chance < 0.125) await misuse(malformed[Math.floor(random() * malformed.length)]);
    else if (chance < 0.25) await leave(known[Math.floor(random() * known.length)], random() * 200);
    else await ask(Math.floor(random() * known.length));
  }
}

async function misuse(request) {
  const { status, text } = await call(request);
  if (status === 429) counts.busy++;
  else if (status >= 400 && status < 500 && JSON.parse(text).error) counts.refused++;
  else problem(status >= 500 ? 'faults' : 'wrong', `${request.path}, malformed: ${status} ${text.slice(0, 200)}`);
}

async function leave(request, after) {
  try {
    await call(request, AbortSignal.timeout(after));
    counts.accepted++;
  } catch {
    counts.cancelled++;
  }
}

async function ask(index) {
  const begun = performance.now();
  const { status, text, retryAfter } = await call(known[index]);
  if (status === 429) {
    counts.busy++;
    if (!(Number(retryAfter) >= 1)) problem('wrong', '429 without Retry-After');
    await new Promise((resolve) => setTimeout(resolve, 100));
  } else if (status !== 200)
    problem(status >= 500 ? 'faults' : 'wrong', `${known[index].path}: ${status} ${text.slice(0, 200)}`);
  else {
    counts.accepted++;
    milliseconds.push(performance.now() - begun);
    if (fingerprint(text) !== expected[index])
      problem('different', `${known[index].path}, request ${index}: not what it gives alone`);
  }
}

/** Memory after the first quarter, when all is compiled, and the most after it. */
const memory = { begin: Number.NaN, most: 0 };
async function watch() {
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(1000, seconds * 50)));
    const mebibytes = (await metric('process_resident_memory_bytes')) / 2 ** 20;
    if (performance.now() < end - seconds * 750) memory.begin = mebibytes;
    else memory.most = Math.max(memory.most, mebibytes);
  }
}

await Promise.all([watch(), ...Array.from({ length: clients }, (_, number) => client(number))]);
milliseconds.sort((a, b) => a - b);
// What was cancelled is over within a moment.
let running = Number.NaN;
for (let i = 0; i < 100 && running !== 0; i++) {
  running = await metric('transfusion_generations_running');
  await new Promise((resolve) => setTimeout(resolve, 50));
}
if (running !== 0) problem('wrong', `${running} generations still run after the last answer`);
const grown = memory.most - memory.begin;
if (grown > growth) problem('wrong', `memory grew from ${memory.begin.toFixed()} to ${memory.most.toFixed()} MiB`);
const at = (share) => Math.round(milliseconds[Math.floor(share * milliseconds.length)] ?? Number.NaN);
const result = {
  clients,
  seconds,
  ...counts,
  requestsPerSecond: +(counts.accepted / seconds).toFixed(1),
  medianMilliseconds: at(0.5),
  p95Milliseconds: at(0.95),
};
console.log(
  JSON.stringify({
    ...result,
    memoryMebibytes: { begin: Math.round(memory.begin), most: Math.round(memory.most) },
    problems,
  }),
);
if (problems.length > 0) process.exitCode = 1;
