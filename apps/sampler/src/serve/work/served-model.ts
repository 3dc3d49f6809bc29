/** @file The models that are served, by the names that clients give. */
import type { Sampler } from '@transfusion/sampler';
import { ApiError } from '../api-error.js';

export interface ServedModel {
  name: string;
  sampler: Sampler;
  /** How many tokens a text has. */
  countTokens(text: string): number;
  /** Unix time in seconds. */
  created: number;
}

export class ServedModels {
  readonly #models: ReadonlyMap<string, ServedModel>;

  /** @param models of distinct names; the first is taken where a request names none */
  constructor(models: readonly ServedModel[]) {
    this.#models = new Map(models.map((model) => [model.name, model]));
  }

  get all(): ServedModel[] {
    return [...this.#models.values()];
  }

  /** @throws ApiError 404: no model has this name. It is compared with names, and never taken for a path. */
  find(name: string | undefined): ServedModel {
    if (name === undefined) return this.all[0];
    const found = this.#models.get(name);
    if (found) return found;
    const names = [...this.#models.keys()].map((each) => `'${each}'`).join(', ');
    const shown = name.length > 100 ? `${name.slice(0, 97)}...` : name;
    throw new ApiError({
      status: 404,
      message: `The model '${shown}' does not exist or you do not have access to it. This server has ${names}.`,
      param: 'model',
      code: 'model_not_found',
    });
  }
}
