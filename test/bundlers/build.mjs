/**
 * @file `node build.mjs <package|vite|vite-dev|webpack|esbuild> FOLDER`, in a process of its own, since jest has no dynamic
 * imports. Errors and warnings of a bundler both fail. `package` builds the package of a model in FOLDER as `npm run build`
 * does; the others bundle FOLDER/page.js into FOLDER/dist, or serve FOLDER and print where.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** With which a page may have several threads. */
const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
const [bundler, folder] = process.argv.slice(2);
const builders = { package: buildPackage, vite, 'vite-dev': viteServer, webpack, esbuild };
await builders[bundler]();

async function buildPackage() {
  // esbuild remembers the folder in which it is loaded.
  process.chdir(folder);
  const { build } = await import('tsup');
  const entry = { index: 'src/index.ts' };
  await build({ config: false, silent: true, shims: true, entry, format: ['esm', 'cjs'], target: 'es2022' });
}

async function vite() {
  const { build } = await import('vite');
  await build({
    root: folder,
    configFile: false,
    base: './',
    customLogger: strictLogger(),
    build: { target: 'es2022' },
  });
}

async function viteServer() {
  const { createServer } = await import('vite');
  const server = await createServer({
    root: folder,
    configFile: false,
    cacheDir: join(folder, '.vite'),
    customLogger: strictLogger(),
    server: { host: '127.0.0.1', port: 0, hmr: false, ws: false, headers: isolated },
    // Its files stay beside it.
    optimizeDeps: { exclude: ['@transfusion/emoji-64'] },
  });
  await server.listen();
  console.log(server.resolvedUrls.local[0]);
}

function strictLogger() {
  const fail = (message) => {
    throw new Error(message);
  };
  const silent = () => {};
  return {
    ...{ info: silent, clearScreen: silent, hasWarned: false, hasErrorLogged: () => false },
    ...{ warn: fail, warnOnce: fail, error: fail },
  };
}

async function webpack() {
  const { default: start } = await import('webpack');
  const stats = await new Promise((resolve, reject) => {
    const options = {
      ...{ mode: 'production', context: folder, entry: './page.js', performance: { hints: false } },
      // Terser takes longer than all the rest.
      optimization: { minimize: false },
      output: { path: join(folder, 'dist'), filename: 'page.js' },
    };
    start(options, (error, result) => (error ? reject(error) : resolve(result)));
  });
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  const problems = [...errors, ...warnings].map(({ message }) => message);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  writePage('<script defer src="page.js"></script>');
}

/** It leaves `new URL('../model/config.json', import.meta.url)` as it is: the model must be there, seen from the script. */
async function esbuild() {
  const { build } = await import('esbuild');
  const { warnings } = await build({
    ...{ absWorkingDir: folder, entryPoints: ['page.js'], outfile: 'dist/assets/page.js' },
    ...{ bundle: true, minify: true, format: 'esm', target: 'es2022', logLevel: 'silent' },
  });
  if (warnings.length > 0) throw new Error(JSON.stringify(warnings));
  cpSync(join(folder, 'node_modules/@transfusion/emoji-64/model'), join(folder, 'dist/model'), { recursive: true });
  writePage('<script type="module" src="assets/page.js"></script>');
}

function writePage(script) {
  const html = readFileSync(join(folder, 'index.html'), 'utf8');
  writeFileSync(join(folder, 'dist/index.html'), html.replace(/<script.*<\/script>/, script));
}
