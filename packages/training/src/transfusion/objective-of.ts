/** @file The objective of a model, by what its images are. */
import { diffusesImages } from '@transfusion/transformer';
import { chameleonObjective } from '../chameleon/objective.js';
import { type TransfusionObjective, type TransfusionObjectiveOptions, transfusionObjective } from './objective.js';

/** Transfusion's where images are diffused; one cross-entropy where they are tokens, or where there are none. */
export function objectiveOf(options: TransfusionObjectiveOptions): TransfusionObjective {
  return diffusesImages(options.model) ? transfusionObjective(options) : chameleonObjective(options);
}
