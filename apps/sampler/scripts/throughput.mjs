/**
 * @file What sharing runs is worth: the same pictures asked for one by one, and by some clients at once; in alternating rounds, of which
 * the medians count. Answers must be equal.
 *
 * Usage: node apps/sampler/scripts/throughput.mjs [--url http://127.0.0.1:8080] [--clients 8] [--images 16] [--rounds 3] [--key KEY]
 *
 * Prints one line of JSON: images per second, one by one and together, and their ratio.
 */
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    clients: { type: 'string', default: '8' },
    images: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '3' },
    key: { type: 'string' },
  },
});
const [clients, images, rounds] = ['clients', 'images', 'rounds'].map((name) => Number(values[name]));
const prompts = ['red heart', 'frog', 'pizza', 'green apple', 'cat', 'house', 'car', 'dog face'];

async function draw(seed) {
  const answer = await fetch(`${values.url}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(values.key && { authorization: `Bearer ${values.key}` }) },
    body: JSON.stringify({ prompt: prompts[seed % prompts.length], seed }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()).data[0].b64_json;
}

/** @returns the pictures, and how many came a second */
async function round(clients) {
  const drawn = [];
  let next = 0;
  const begun = performance.now();
  const client = async () => {
    while (next < images) {
      const seed = next++;
      drawn[seed] = await draw(seed);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { drawn, perSecond: (1000 * images) / (performance.now() - begun) };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

// Compiles what there is to compile.
await round(clients);
const alone = [];
const together = [];
for (let i = 0; i < rounds; i++) {
  const [one, all] = [await round(1), await round(clients)];
  if (one.drawn.some((picture, seed) => picture !== all.drawn[seed])) throw new Error('a picture differs');
  alone.push(one.perSecond);
  together.push(all.perSecond);
}
const [oneByOne, atOnce] = [median(alone), median(together)];
const shown = (value) => +value.toFixed(2);
console.log(
  JSON.stringify({
    images,
    clients,
    oneByOne: shown(oneByOne),
    together: shown(atOnce),
    ratio: shown(atOnce / oneByOne),
  }),
);
