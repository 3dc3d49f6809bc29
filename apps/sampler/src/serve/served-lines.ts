/** @file What a server tells when it starts: what it serves, within which limits, and how to ask it. */
import { formatImageSize, type ImageSize } from '@transfusion/data';
import type { Limits } from './context.js';

export interface Served {
  address: string;
  /** Names of models, and their folders. */
  folders: ReadonlyMap<string, string>;
  /** How many API keys there are. */
  keys: number;
  limits: Limits;
  playground?: string;
  /** Of the first model's images. */
  size: ImageSize;
}

export function servedLines({ address, folders, keys, limits, playground, size }: Served): string[] {
  const [[name]] = folders;
  const key = keys > 0 ? ` -H "Authorization: Bearer $TRANSFUSION_API_KEY"` : '';
  const bodies = `${Math.floor(limits.bodyBytes / 2 ** 20)} MiB a request, ${limits.pixels.toLocaleString('en')} pixels a picture`;
  return [
    ...[...folders].map(([model, folder]) => `model     ${model} (${folder})`),
    `keys      ${keys === 0 ? 'none: this machine alone may ask' : keys}`,
    `limits    ${limits.concurrency} at once, ${limits.queue} wait, ${limits.timeoutSeconds} s; ${bodies}`,
    ...(playground === undefined ? [] : [`page      ${address}/ (${playground})`]),
    '',
    `curl ${address}/v1/images/generations${key} -H 'content-type: application/json' \\`,
    `  -d '{"prompt": "red heart", "size": "${formatImageSize(size)}", "seed": 1}' | node -p 'JSON.parse(require("fs").readFileSync(0)).data[0].b64_json' | base64 -d > heart.png`,
    `curl ${address}/v1/images/edits${key} -F image=@heart.png -F prompt='make it blue'`,
    `node --input-type=module -e 'import OpenAI from "openai"`,
    `  const client = new OpenAI({ baseURL: "${address}/v1", apiKey: ${keys > 0 ? 'process.env.TRANSFUSION_API_KEY' : '"none"'} })`,
    `  const stream = await client.chat.completions.create({ model: "${name}", messages: [{ role: "user", content: "a red" }], stream: true })`,
    `  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "")'`,
    '',
  ];
}
