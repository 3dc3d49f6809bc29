/** @file The browser to test with: the one in TRANSFUSION_CHROME, or the Chromium that `npm run setup` unpacks. */
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { LaunchOptions } from 'playwright-core';

const unpacked = resolve(__dirname, '../../.cache/chromium');

/** WebGPU on the SwiftShader beside the unpacked Chromium, whatever GPU there is: it is the same on every machine. */
const SOFTWARE_WEBGPU = [
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--use-angle=swiftshader',
  '--disable-vulkan-surface',
  '--ignore-gpu-blocklist',
  // SwiftShader compiles the zeroing of workgroup memory to a store per number: ten times the rest of a kernel.
  '--enable-dawn-features=disable_workgroup_init',
  // Its clock is exact, so that what is measured is.
  '--disable-dawn-features=timestamp_quantization',
];

/** How to start the browser, or why there is none to start. */
export function findBrowser(): { launch: LaunchOptions } | { absent: string } {
  const system = process.env.TRANSFUSION_CHROME;
  if (system)
    return { launch: { executablePath: system, args: ['--enable-unsafe-webgpu', '--enable-features=Vulkan'] } };
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    const where = `${process.platform} on ${process.arch}`;
    return { absent: `no Chromium comes with a package for ${where}: set TRANSFUSION_CHROME to Chrome's executable` };
  }
  const libraries = [unpacked, process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter);
  return {
    launch: {
      executablePath: join(unpacked, 'chromium'),
      args: ['--enable-unsafe-webgpu', ...SOFTWARE_WEBGPU],
      env: { ...definedVariables(), LD_LIBRARY_PATH: libraries },
    },
  };
}

/** @throws Error where there is nothing at the path. */
export function assertExecutable({ executablePath = '' }: LaunchOptions): void {
  if (existsSync(executablePath)) return;
  const fix = process.env.TRANSFUSION_CHROME ? 'correct TRANSFUSION_CHROME' : 'run `npm run setup`, which unpacks it';
  throw new Error(`there is no browser at ${executablePath}: ${fix}`);
}

function definedVariables(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, string>;
}
