/** @file Which model a command uses where none is given. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { localModel, type Terminal } from '@transfusion/app-common';
import { name as SHIPPED_MODEL } from '@transfusion/emoji-64';
import { isHubAddress } from '@transfusion/hub/node';
import { findModelFolder, packagedModel } from '@transfusion/sampler/node';
import { TransfusionError } from '@transfusion/tensor';

/** Where `npm run demo` leaves its model. */
const DEMO_MODEL = 'runs/demo/model';

/** For help texts. */
export const DEFAULT_MODEL = `${SHIPPED_MODEL}, or ${DEMO_MODEL} while it has no weights`;

/**
 * The folder of the model that was asked for, by a path, a package's name or an address of the hub; else of the one that this repository
 * ships, if its weights are there, else the demo's: which of them is told.
 *
 * @throws TransfusionError MODEL_MISSING; MODEL_NAME: see `findModelFolder`; HubError: see `fromHub`
 */
export async function modelPath(
  given: string | undefined,
  terminal: Pick<Terminal, 'log' | 'signal'>,
): Promise<string> {
  if (given !== undefined) return isHubAddress(given) ? localModel(given, terminal) : findModelFolder(given);
  const tell = (model: string) => terminal.log(`no --model is given: using ${model}`);
  const shipped = packagedModel(SHIPPED_MODEL);
  if (shipped !== undefined) {
    tell(SHIPPED_MODEL);
    return shipped;
  }
  if (existsSync(join(DEMO_MODEL, 'config.json'))) {
    tell(DEMO_MODEL);
    return DEMO_MODEL;
  }
  throw new TransfusionError({
    code: 'MODEL_MISSING',
    message: `no --model is given, ${SHIPPED_MODEL} has no weights, and there is no model in ${DEMO_MODEL}`,
    fix: 'give --model with a folder, the name of a package or hf://owner/name, or train one with npm run demo',
  });
}
