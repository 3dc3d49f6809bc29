/** @file POST /v1/images/generations and /v1/images/edits. */
import { formatImageSize, type ImageSize, isSameSize, type RgbImage } from '@transfusion/data';
import { imageSizes, type PipelineConfig } from '@transfusion/sampler';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { badRequest } from '../api-error.js';
import { beginJob, type Context, seedsOf, stream } from '../context.js';
import type { ServerEvent } from '../http/event-stream.js';
import { type Form, readForm } from '../http/form.js';
import type { Job } from '../http/job.js';
import type { GivenPicture } from '../pictures/read-picture.js';
import { toBase64 } from '../pictures/write-picture.js';
import { checkBody } from '../schemas/check-body.js';
import {
  formValues,
  type ImageEdit,
  type ImageGeneration,
  imageEditSchema,
  imageGenerationSchema,
} from '../schemas/images.js';
import { type DrawnFile, ImageEvents, type ImageUsage, imagesResponse, imageUsage } from '../shapes/images.js';
import { checkDrawing, type Drawing, type DrawingEvent, draw, patchesOf } from '../work/draw.js';
import type { ServedModel } from '../work/served-model.js';

type Request = Omit<ImageGeneration, 'moderation' | 'style'>;

export function imageRoutes(app: FastifyInstance, context: Context): void {
  app.post('/v1/images/generations', async (request, reply) => {
    const body = checkBody(imageGenerationSchema, request.body);
    const model = context.models.find(body.model);
    return answer(context, reply, 'image_generation', { model, body, prepare: async () => ({}) });
  });

  app.post('/v1/images/edits', async (request, reply) => {
    const form = await readForm(request, context.limits.bodyBytes);
    const body = checkBody(imageEditSchema, formValues(form.fields));
    const model = context.models.find(body.model);
    const files = filesOf(form);
    // By their headers, before they wait.
    context.pictures.check(files.image);
    if (files.mask) context.pictures.check(files.mask);
    sourceSizes(model.sampler.config, body.size);
    const prepare = () => editSource(context, { model, body, ...files });
    return answer(context, reply, 'image_edit', { model, body, prepare });
  });
}

/** What all images of a request have in common. */
type Plan = Omit<Drawing, 'seed'>;

interface Asked {
  model: ServedModel;
  body: Request & Pick<ImageEdit, 'strength'>;
  /** What the image is made from, decoded once the request has its place. */
  prepare(): Promise<Pick<Drawing, 'from' | 'mask' | 'edited'>>;
}

async function answer(context: Context, reply: FastifyReply, kind: 'image_generation' | 'image_edit', asked: Asked) {
  const { model, body } = asked;
  const { config } = model.sampler;
  const drawing: Plan = {
    ...{ prompt: body.prompt, size: body.size, partialImages: body.partial_images },
    image: {
      steps: body.num_inference_steps,
      guidance: body.guidance_scale,
      negativePrompt: body.negative_prompt,
      strength: body.strength,
    },
  };
  if (kind === 'image_generation') checkDrawing(config, drawing);
  const job = beginJob(context, reply);
  try {
    const source = await asked.prepare();
    const given = source.edited ?? source.from;
    const plan: Plan = { ...drawing, ...source, size: given ? undefined : body.size };
    checkDrawing(config, plan);
    const drawn = files(context, job, { model, plan, body });
    const usageOf = (images: readonly RgbImage[]) =>
      imageUsage({
        text: model.countTokens(body.prompt),
        given: given ? patchesOf(config, given) : 0,
        drawn: images.reduce((sum, image) => sum + patchesOf(config, image), 0),
      });
    if (body.stream) {
      const events = new ImageEvents(kind, body.output_format);
      return await stream(context, reply, job, imageEvents(drawn, events, usageOf));
    }
    const all: DrawnFile[] = [];
    const images: RgbImage[] = [];
    for await (const { index, file, image, partialIndex } of drawn) {
      if (partialIndex !== undefined) continue;
      all[index] = file;
      images[index] = image;
    }
    return imagesResponse(all, {
      format: body.output_format,
      usage: usageOf(images),
      asUrl: body.response_format === 'url',
    });
  } finally {
    job.end();
  }
}

interface DrawnImage {
  index: number;
  file: DrawnFile;
  image: RgbImage;
  /** Of a preview. */
  partialIndex?: number;
}

async function* files(
  { metrics }: Context,
  job: Job,
  { model, plan, body }: { model: ServedModel; plan: Plan; body: Request },
): AsyncGenerator<DrawnImage, void> {
  const seeds = seedsOf(body.seed, body.n);
  const observer = metrics.observer(model.name);
  const works = seeds.map((seed) => draw(model.sampler, { ...plan, seed }, observer));
  const output = { format: body.output_format, compression: body.output_compression };
  for await (const { index, event } of job.run<DrawingEvent>(works)) {
    const { image } = event;
    const { width, height } = image;
    const file = { base64: await toBase64(image, output), size: { width, height }, seed: seeds[index] };
    yield { index, file, image, ...(event.type === 'partial' && { partialIndex: event.index }) };
  }
}

async function* imageEvents(
  drawn: AsyncGenerator<DrawnImage, void>,
  events: ImageEvents,
  usageOf: (images: readonly RgbImage[]) => ImageUsage,
): AsyncGenerator<ServerEvent, void> {
  for await (const { index, file, image, partialIndex } of drawn) {
    yield partialIndex === undefined
      ? events.completed(file, { index, usage: usageOf([image]) })
      : events.partial(file, { index, partialIndex });
  }
}

/** @throws ApiError 400: no image or several, several masks, files of other names */
function filesOf({ files }: Form): { image: GivenPicture; mask?: GivenPicture } {
  const images = files.filter(({ field }) => field === 'image' || field === 'image[]');
  const masks = files.filter(({ field }) => field === 'mask');
  const other = files.find((file) => !images.includes(file) && !masks.includes(file));
  if (other) throw badRequest(`Unknown parameter: '${other.field}'.`, other.field, 'unknown_parameter');
  if (images.length === 0)
    throw badRequest("Missing required parameter: 'image'.", 'image', 'missing_required_parameter');
  if (images.length > 1) {
    throw badRequest(
      `Invalid 'image': there are ${images.length}, one is edited at a time.`,
      'image',
      'array_above_max_length',
    );
  }
  if (masks.length > 1) throw badRequest("Duplicate parameter: 'mask'.", 'mask');
  const [image] = images;
  return {
    image: { bytes: image.bytes, param: 'image' },
    ...(masks.length > 0 && { mask: { bytes: masks[0].bytes, param: 'mask' } }),
  };
}

/** The model's own editing where it was trained on edits and nothing else is asked for; else the image is noised. */
async function editSource(
  { pictures }: Context,
  asked: { model: ServedModel; body: ImageEdit; image: GivenPicture; mask?: GivenPicture },
): Promise<Pick<Drawing, 'from' | 'mask' | 'edited'>> {
  const { model, body, image, mask } = asked;
  const { config } = model.sampler;
  const picture = await pictures.picture(image, sourceSizes(config, body.size));
  if (mask) return { from: picture, mask: await pictures.mask(mask, image, picture) };
  const editsItself = config.trainedOn?.edits === true && body.strength === undefined;
  return editsItself ? { edited: picture } : { from: picture };
}

/** The result has the size of the image. @throws ApiError 400: it is none that the model was trained on */
function sourceSizes(config: PipelineConfig, size: ImageSize | undefined): ImageSize[] {
  const trained = imageSizes(config.image);
  if (!size || trained.some((each) => isSameSize(each, size))) return size ? [size] : trained;
  const sizes = trained.map(formatImageSize).join(', ');
  throw badRequest(`Invalid 'size': ${formatImageSize(size)}. The model edits ${sizes}.`, 'size', 'invalid_size');
}
