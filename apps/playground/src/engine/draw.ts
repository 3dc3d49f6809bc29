/** @file Drawing: from a prompt, from another picture, where a mask says, or by an instruction. */
import { nextTask } from '@transfusion/core';
import { encodePng } from '@transfusion/data';
import { completeImageSampling, type DrawingProgress, type DrawingSettings, encodeDrawing } from '@transfusion/sampler';
import { sha256 } from './model-files.js';
import { nearestSize, type OpenModel } from './open-model.js';
import { enlarged, fitted } from './pictures.js';
import type { Drawn, DrawRequest, DrawStep, Picture } from './protocol.js';

export interface DrawOptions {
  model: OpenModel;
  request: DrawRequest;
  backend: string;
  signal?: AbortSignal;
  onStep?: (step: DrawStep) => void;
}

const MAX_BATCH = 4;
/** Side of a downloaded picture, in pixels, at least about that. */
const FILE_SIDE = 512;
const MOST_SCALE = 64;
/** Previews are decoded pictures: no more of the time goes into them. */
const PREVIEW_SHARE = 0.3;
const SOFTWARE = '@transfusion/playground 0.1.0';

/** @throws as `Sampler.drawImages` and `Sampler.editImages` */
export async function draw({ model, request, backend, signal, onStep }: DrawOptions): Promise<Drawn[]> {
  const { prompt, seed, count, image, mask, instruction } = request;
  const size = request.from && nearestSize(model.config, request.from);
  const from = request.from && fitted(request.from, size!);
  const common = { ...{ seed, signal, maxBatch: MAX_BATCH }, onStep: previewing(onStep) };
  const { strength, ...plain } = image;
  const pictures =
    from && instruction
      ? await model.sampler.editImages({ ...plain, ...common, images: [from], prompts: [prompt] })
      : await model.sampler.drawImages({
          ...plain,
          ...common,
          prompts: Array.from({ length: count }, () => prompt),
          ...(from && { from, strength }),
          ...(from && mask && { mask: { width: from.width, height: from.height, data: mask } }),
        });
  const files = await Promise.all(
    pictures.map((picture, index) => drawingFile({ model, request, from, backend, picture, index })),
  );
  return pictures.map((picture, i) => ({ picture, png: files[i] }));
}

/** Tells of every step, with pictures as often as they may cost. */
function previewing(onStep: ((step: DrawStep) => void) | undefined) {
  const begun = performance.now();
  let lastEnd = begun;
  let cost = 0;
  return async ({ step, steps, previews }: DrawingProgress) => {
    const now = performance.now();
    const due = onStep && step < steps && now - lastEnd >= (cost * (1 - PREVIEW_SHARE)) / PREVIEW_SHARE;
    const pictures = due ? await previews() : undefined;
    if (due) {
      lastEnd = performance.now();
      cost = lastEnd - now;
    }
    onStep?.({ step, steps, secondsPerStep: (performance.now() - begun) / 1000 / step, previews: pictures });
    // On the CPU a step takes no turn of the event loop: without this one, nobody could stop it.
    await nextTask();
  };
}

interface FileOptions {
  model: OpenModel;
  request: DrawRequest;
  from?: Picture;
  backend: string;
  picture: Picture;
  index: number;
}

/** With its settings, where the page has what hashes the model. */
async function drawingFile({ model, request, from, backend, picture, index }: FileOptions): Promise<Uint8Array> {
  const scale = Math.min(MOST_SCALE, Math.max(1, Math.round(FILE_SIDE / Math.max(picture.width, picture.height))));
  const large = enlarged(picture, scale);
  if (!model.hashes) return encodePng(large);
  const { prompt, seed, count, image, mask, instruction } = request;
  const { width, height } = picture;
  const { strength, ...plain } = image;
  const isEdit = Boolean(from && instruction);
  const source = !from || isEdit ? undefined : mask ? 'masked' : 'whole';
  const sampling = completeImageSampling(model.config, source ? image : plain, source);
  const common = {
    ...{ version: 1 as const, software: SOFTWARE, backend, model: model.hashes },
    ...{ seed, prompt, image: sampling, size: { width, height }, scale },
  };
  const named = async (name: string, data: ArrayBufferView) => ({
    name,
    sha256: await sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  });
  const settings: DrawingSettings = isEdit
    ? { command: 'edit', ...common, edited: await named('picture', from!.data) }
    : {
        ...{ command: 'generate', ...common, n: count, index, maxBatch: MAX_BATCH },
        ...(from && { from: await named('picture', from.data) }),
        ...(from && mask && { mask: await named('mask', mask) }),
      };
  return encodeDrawing(large, settings);
}
