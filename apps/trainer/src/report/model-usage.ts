/** @file How a model is used, for its card: the command line, Node, a page. */
import type { PipelineConfig } from '@transfusion/sampler';

/**
 * @param name of a package, or of a model folder
 * @param prompt a caption that it has learned to draw
 */
export function modelUsage(name: string, { model, trainedOn }: PipelineConfig, prompt: string): string[] {
  const draws = model.images !== 'none' && trainedOn?.pictures !== false;
  const isPackage = name.startsWith('@');
  const isOfHub = ofHub(name);
  const packages = ['sampler', ...(isOfHub ? ['hub'] : []), ...(draws ? ['data'] : []), 'wasm'];
  const installed = [...(isPackage ? [name] : []), ...packages.map((each) => `@transfusion/${each}`)];
  const install = isPackage || isOfHub ? ['After', code('', [`npm install ${installed.join(' ')}`])] : [];
  const command = isOfHub ? `hf://${name}` : name;
  return [
    ...(install.length > 0 ? [...install, 'from Node:'] : ['From Node:']),
    code('ts', draws ? drawing(name, prompt) : writing(name)),
    'In a clone of the repository, after `npm run setup`:',
    code(
      '',
      draws ? drawingCommands(command, prompt) : [`${SAMPLER} continue --model ${command} --text "Once" --out story`],
    ),
    ...(isPackage ? page(name) : isOfHub ? hubPage(name) : []),
  ];
}

const SAMPLER = 'node apps/sampler/dist/cli.js';

/** Whether it is the name of a model of the Hugging Face hub: "owner/name". */
function ofHub(name: string): boolean {
  return /^[\w-][\w.-]*\/[\w.-]+$/.test(name);
}

/** Up to a sampler. Whoever draws with it has ten lines in all, as every package's first example. */
function opening(name: string): string[] {
  if (ofHub(name)) {
    return [
      "import { fromHub } from '@transfusion/hub/node';",
      "import { createSampler, openModel } from '@transfusion/sampler';",
      "import { openWasm } from '@transfusion/wasm';",
      'const backend = await openWasm();',
      `const sampler = createSampler({ backend, ...(await openModel(await fromHub('${name}'), backend)) });`,
    ];
  }
  return [
    "import { createSampler } from '@transfusion/sampler';",
    "import { openModel } from '@transfusion/sampler/node';",
    "import { openWasm } from '@transfusion/wasm';",
    'const backend = await openWasm();',
    `const sampler = createSampler({ backend, ...(await openModel('${name}', backend, { verify: true })) });`,
  ];
}

function drawing(name: string, prompt: string): string[] {
  return [
    "import { writeFileSync } from 'node:fs';",
    "import { encodePng } from '@transfusion/data';",
    ...opening(name),
    `const [image] = await sampler.drawImages({ prompts: ['${prompt}'], seed: 1 });`,
    "writeFileSync('drawn.png', encodePng(image));",
    'await backend.dispose();',
  ];
}

function writing(name: string): string[] {
  return [
    ...opening(name),
    "for await (const event of sampler.generate({ prompt: [{ text: 'Once' }], maxTokens: 32 })) {",
    "  if (event.type === 'token') process.stdout.write(event.text);",
    '}',
    'await backend.dispose();',
  ];
}

function drawingCommands(name: string, prompt: string): string[] {
  return [
    `${SAMPLER} generate --model ${name} --prompt "${prompt}" --out drawn.png`,
    `${SAMPLER} caption --model ${name} --image drawn.png`,
  ];
}

function page(name: string): string[] {
  return [
    'In a page, from the files of the package, wherever a bundler puts them:',
    code('ts', [
      `import { files, name, sha256 } from '${name}';`,
      "import { UrlSource } from '@transfusion/checkpoint';",
      "import { createSampler, openModel } from '@transfusion/sampler';",
      "import { openWebGpu } from '@transfusion/webgpu';",
      '',
      'const backend = await openWebGpu();',
      'const source = new UrlSource(files, { name });',
      'const sampler = createSampler({ backend, ...(await openModel(source, backend, { verify: sha256 })) });',
    ]),
    `Vite and webpack copy the files, since each stands as \`new URL('…', import.meta.url)\`. Vite's development server moves packages: \`optimizeDeps: { exclude: ['${name}'] }\` leaves this one where its files are. esbuild leaves the addresses as they are: copy the package's folder \`model\` to where \`../model\` is, seen from the script. Without a bundler, serve the package's folder, and import its \`dist/index.js\`.`,
  ];
}

function hubPage(name: string): string[] {
  return [
    'In a page:',
    code('ts', [
      "import { fromHub } from '@transfusion/hub';",
      "import { createSampler, openModel } from '@transfusion/sampler';",
      "import { openWebGpu } from '@transfusion/webgpu';",
      '',
      'const backend = await openWebGpu();',
      `const model = await openModel(await fromHub('${name}'), backend);`,
      'const sampler = createSampler({ backend, ...model });',
    ]),
  ];
}

function code(language: string, lines: readonly string[]): string {
  return ['```' + language, ...lines, '```'].join('\n');
}
