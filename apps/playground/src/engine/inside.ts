/** @file What goes on inside: the sequence and what sees what, the noise schedule, the time and the memory. */
import { captionDocument, type LaidPosition, layOut } from '@transfusion/data';
import { completeImageSampling, imageLayout, objectiveOptions, type SchedulerName } from '@transfusion/sampler';
import { addNoise, createObjective, diffusionScheduler } from '@transfusion/schedulers';
import { PhiloxStream } from '@transfusion/tensor';
import type { OpenModel } from './open-model.js';
import type { Picture, PositionKind, ScheduleView, SequenceView } from './protocol.js';

/** A caption and its picture as the model reads them, in either order. */
export function sequenceView(
  { config, loaded: { tokenizer } }: Pick<OpenModel, 'config' | 'loaded'>,
  prompt: string,
  order: 'caption-first' | 'image-first',
): SequenceView {
  const { latent } = imageLayout(config);
  const latents = new Float32Array(latent.height * latent.width * latent.channels);
  const { special } = tokenizer;
  const captionIds = prompt === '' ? [] : tokenizer.encode(prompt);
  const document = captionDocument({ captionIds, image: { ...latent, latents }, order, special });
  const { patchSize, imageAttention, imagePositions } = config.model;
  const { positions } = layOut(document, { patchSize, imageAttention, imagePositions, special });
  const names = new Map(Object.entries(special).map(([name, id]) => [id, name.toUpperCase()]));
  let patch = 0;
  const view = (laid: LaidPosition) => {
    const { token, begin, end, position, target } = laid;
    const control = names.get(token);
    const kind: PositionKind = token < 0 ? 'patch' : control ? 'control' : 'text';
    const label = token < 0 ? `patch ${++patch}` : (control ?? tokenizer.decode([token]));
    return { kind, label, begin, end, position, hasLoss: target >= 0 || kind === 'patch' };
  };
  return { positions: positions.map(view) };
}

const STRIP = [0, 0.25, 0.5, 0.75, 1];

/** Signal and noise by timestep, the picture at some of them, and where the sampler goes. */
export function scheduleView(
  { config }: Pick<OpenModel, 'config'>,
  { picture, scheduler, steps }: { picture?: Picture; scheduler?: string; steps?: number },
): ScheduleView {
  const { noiseSchedule } = createObjective(objectiveOptions(config));
  const last = noiseSchedule.trainTimesteps - 1;
  const points = Array.from({ length: 101 }, (_, i) => {
    const { signal, noise } = noiseSchedule.level(Math.round((last * i) / 100));
    return { at: i / 100, signal, noise };
  });
  const chosen = completeImageSampling(config, { ...(scheduler && { scheduler: scheduler as SchedulerName }), steps });
  const plan = diffusionScheduler(config.diffusion, chosen.scheduler!).plan(chosen.steps!);
  return {
    name: config.diffusion.schedule,
    predicts: config.diffusion.parameterisation,
    points,
    strip: picture ? STRIP.map((at) => ({ at, picture: noised(picture, at) })) : [],
    visited: plan.evaluations.map(({ timestep }) => timestep / last),
  };

  function noised({ width, height, data }: Picture, at: number): Picture {
    const random = new PhiloxStream(0, 0);
    const noise = Float32Array.from(data, () => random.normal());
    const timestep = Math.round(last * at);
    return { width, height, data: at === 0 ? data : addNoise({ noiseSchedule, sample: data, noise, timestep }) };
  }
}
