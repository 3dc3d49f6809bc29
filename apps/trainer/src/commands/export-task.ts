/** @file What `trainer export` is asked for: a folder for use here (`--out`), or one for the hub (`--hub`). */
import { TransfusionError } from '@transfusion/core';
import type { ExportCommandOptions } from './export-command.js';
import type { HubExportOptions } from './hub-export-command.js';

export type ExportTask = { to: 'folder'; options: ExportCommandOptions } | { to: 'hub'; options: HubExportOptions };

/** What the command line says. */
export type GivenExport = Partial<ExportCommandOptions> &
  Omit<HubExportOptions, 'hub' | 'license'> & { hub?: string; license?: string };

/** @throws TransfusionError EXPORT_OPTIONS: they do not go together */
export function exportTask({ run, out, f32, hub, license, ...others }: GivenExport): ExportTask {
  if (hub === undefined) {
    if (out === undefined)
      throw wrong('where to is not said', 'give --out FOLDER for use here, or --hub FOLDER to upload it');
    if (others.model !== undefined || others.overwrite) {
      throw wrong('--model and --overwrite are for --hub', 'give --run FOLDER and a new folder for --out');
    }
    if (run === undefined) throw wrong('which run is not said', 'give --run FOLDER');
    return { to: 'folder', options: { run, out, f32 } };
  }
  if (out !== undefined) throw wrong('--out and --hub are two folders', 'give one of them');
  if (f32) throw wrong('--f32 is for --out', 'give --dtype f32');
  if (license === undefined) {
    throw wrong(
      'a model of the hub has a licence, and none is given',
      'give --license, such as MIT, Apache-2.0 or CC-BY-4.0',
    );
  }
  return { to: 'hub', options: { ...others, run, hub, license } };
}

function wrong(message: string, fix: string): TransfusionError {
  return new TransfusionError({ code: 'EXPORT_OPTIONS', message: `export: ${message}`, fix });
}
