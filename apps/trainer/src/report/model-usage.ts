/** @file How a model is used, for its card: the command line, Node, a page. */
import type { PipelineConfig } from '@transfusion/sampler';

/**
 * @param name of a package, or of a model folder
 * @param prompt a caption that it has learned to draw
 */
export function modelUsage(name: string, { model, trainedOn }: PipelineConfig, prompt: string): string[] {
  const draws = model.images !== 'none' && trainedOn?.pictures !== false;
  const isPackage = name.startsWith('@');
  const packages = ['sampler', ...(draws ? ['data'] : []), 'wasm'].map((each) => `@transfusion/${each}`);
  const install = isPackage ? `, after \`npm install ${[name, ...packages].join(' ')}\`` : '';
  return [
    `From Node${install}:`,
    code('ts', draws ? drawing(name, prompt) : writing(name)),
    'In a clone of the repository, after `npm run setup`:',
    code('', draws ? drawingCommands(name, prompt) : [`${SAMPLER} continue --model ${name} --text "Once" --out story`]),
    ...(isPackage ? page(name) : []),
  ];
}

const SAMPLER = 'node apps/sampler/dist/cli.js';

/** Up to a sampler. */
function opening(name: string): string[] {
  return [
    "import { createSampler } from '@transfusion/sampler';",
    "import { openModel } from '@transfusion/sampler/node';",
    "import { openWasm } from '@transfusion/wasm';",
    '',
    'const backend = await openWasm();',
    `const model = await openModel('${name}', backend, { verify: true });`,
    'const sampler = createSampler({ backend, ...model });',
  ];
}

function drawing(name: string, prompt: string): string[] {
  return [
    "import { writeFileSync } from 'node:fs';",
    "import { encodePng } from '@transfusion/data';",
    ...opening(name),
    `const images = await sampler.drawImages({ prompts: ['${prompt}'], seed: 1 });`,
    "writeFileSync('drawn.png', encodePng(images[0]));",
    'console.log(await sampler.captionImages({ images }));',
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
    `Vite and webpack copy the files, since each stands as \`new URL('…', import.meta.url)\`. Vite's development server moves packages: \`optimizeDeps: { exclude: ['${name}'] }\` leaves this one where its files are. Without a bundler, serve the package's folder, and import its \`dist/index.js\`.`,
  ];
}

function code(language: string, lines: readonly string[]): string {
  return ['```' + language, ...lines, '```'].join('\n');
}
