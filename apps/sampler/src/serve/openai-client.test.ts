/** @file The official client, unchanged, against the server. */
import { decodePng, type RgbImage, toBytes } from '@transfusion/data';
import OpenAI, {
  type APIError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
  PermissionDeniedError,
  toFile,
} from 'openai';
import sharp from 'sharp';
import { testPicture } from '../../../../packages/sampler/src/testing/tiny-model.js';
import { KEY, type TinyServer, tinyModel, tinyServers } from './testing/tiny-server.js';

const servers = tinyServers();
let server: TinyServer;
let client: OpenAI;
beforeAll(async () => {
  const models = [tinyModel(servers.backend), tinyModel(servers.backend, '@scope/other', false)];
  server = await servers.start({ keys: ['sk-another', KEY], models });
  client = new OpenAI({ baseURL: `${server.address}/v1`, apiKey: KEY, maxRetries: 0 });
});
afterAll(() => expect(server.logged).toEqual([]));

/** Fields that the client's types do not have. */
const extended = <Params extends object>(params: Params, more: Record<string, unknown>): Params => ({
  ...params,
  ...more,
});

const png = (image: RgbImage) => {
  const { width, height, data } = image;
  return sharp(toBytes(data), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
};
const bytesOf = (base64: string) => toBytes(decodePng(Buffer.from(base64, 'base64')).data);
const drawn = async (options: Parameters<TinyServer['model']['sampler']['generate']>[0]) => {
  const images: Uint8Array[] = [];
  const previews: Uint8Array[] = [];
  let text = '';
  for await (const event of server.model.sampler.generate(options)) {
    if (event.type === 'image') images.push(toBytes(event.image.data));
    if (event.type === 'denoise' && event.preview) previews.push(toBytes(event.preview.data));
    if (event.type === 'token' || event.type === 'text') text += event.text;
  }
  return { images, previews, text };
};

describe('images.generate', () => {
  test('gives the picture of the library', async () => {
    const given = { model: 'tiny', prompt: 'red heart' };
    const more = { seed: 7, num_inference_steps: 3, guidance_scale: 2, negative_prompt: 'blue' };
    const answer = await client.images.generate(extended(given, more));
    const image = { steps: 3, guidance: 2, negativePrompt: 'blue' };
    const own = await drawn({ prompt: [{ text: 'red heart' }], forceImage: true, maxTokens: 0, seed: 7, image });
    expect(bytesOf(answer.data![0].b64_json!)).toEqual(own.images[0]);
    expect(answer).toMatchObject({
      background: 'opaque',
      output_format: 'png',
      size: '4x4',
      created: expect.any(Number),
    });
    expect(answer.usage).toEqual({
      ...{ input_tokens: 9, output_tokens: 4, total_tokens: 13 },
      input_tokens_details: { text_tokens: 9, image_tokens: 0 },
    });
  });

  test('several: each is that of its own seed, all of them differ', async () => {
    const { data } = await client.images.generate(
      extended({ prompt: 'x', n: 3, size: '4x4' as '256x256' }, { seed: 5 }),
    );
    const pictures = data!.map(({ b64_json }) => bytesOf(b64_json!));
    for (const [i, picture] of pictures.entries()) {
      const own = await drawn({ prompt: [{ text: 'x' }], forceImage: true, maxTokens: 0, seed: 5 + i });
      expect(picture).toEqual(own.images[0]);
      expect(data![i]).toMatchObject({ seed: 5 + i });
    }
    expect(new Set(pictures.map(String)).size).toBe(3);
  });

  test('without a seed no two are alike; the one that was taken is told', async () => {
    const [a, b] = [await client.images.generate({ prompt: 'x' }), await client.images.generate({ prompt: 'x' })];
    expect(a.data![0].b64_json).not.toBe(b.data![0].b64_json);
    const again = await client.images.generate(
      extended({ prompt: 'x' }, { seed: (a.data![0] as { seed?: number }).seed }),
    );
    expect(again.data![0].b64_json).toBe(a.data![0].b64_json);
  });

  test('jpeg, webp and data URLs', async () => {
    for (const output_format of ['jpeg', 'webp'] as const) {
      const of = { prompt: 'x', output_format, output_compression: 50, response_format: 'url' as const };
      const answer = await client.images.generate(extended(of, { seed: 1 }));
      const file = Buffer.from(await (await fetch(answer.data![0].url!)).arrayBuffer());
      expect((await sharp(file).metadata()).format).toBe(output_format);
      expect(answer.output_format).toBe(output_format);
    }
  });

  test('streamed with previews, which are those of the library', async () => {
    const given = { prompt: 'red heart', stream: true as const, partial_images: 3 };
    const events = [];
    for await (const event of await client.images.generate(extended(given, { seed: 3 }))) events.push(event);
    const own = await drawn({
      prompt: [{ text: 'red heart' }],
      forceImage: true,
      maxTokens: 0,
      seed: 3,
      previewEvery: 1,
    });
    expect(events.map(({ type }) => type)).toEqual([
      ...new Array(3).fill('image_generation.partial_image'),
      'image_generation.completed',
    ]);
    const pictures = events.map(({ b64_json }) => bytesOf(b64_json));
    expect(pictures).toEqual([...own.previews, ...own.images]);
    expect(events.slice(0, 3).map((event) => 'partial_image_index' in event && event.partial_image_index)).toEqual([
      0, 1, 2,
    ]);
    expect(events[3]).toMatchObject({
      ...{ size: '4x4', quality: 'auto', background: 'opaque', output_format: 'png', created_at: expect.any(Number) },
      usage: { input_tokens: 9, output_tokens: 4, total_tokens: 13 },
    });
  });
});

describe('images.edit', () => {
  const given = testPicture(3);
  const file = async (image = given) => toFile(await png(image), 'a.png', { type: 'image/png' });

  test('as the model was trained to', async () => {
    const answer = await client.images.edit(extended({ image: await file(), prompt: 'blue' }, { seed: 4 }));
    const own = await drawn({
      ...{ prompt: [{ image: rounded(given) }, { text: 'blue' }], guideAwayFrom: 'images' },
      ...{ forceImage: true, maxTokens: 0, seed: 4 },
    });
    expect(bytesOf(answer.data![0].b64_json!)).toEqual(own.images[0]);
    expect(answer.usage).toMatchObject({ input_tokens: 8, output_tokens: 4, total_tokens: 12 });
    expect(answer.usage!.input_tokens_details).toEqual({ text_tokens: 4, image_tokens: 4 });
  });

  test('by a model that was not, and with a strength, by noising', async () => {
    const image = { steps: 4, strength: 0.5, from: rounded(given) };
    const own = await drawn({ prompt: [{ text: 'blue' }], forceImage: true, maxTokens: 0, seed: 4, image });
    const more = { seed: 4, num_inference_steps: 4, strength: 0.5 };
    const first = await client.images.edit(extended({ image: [await file()], prompt: 'blue' }, more));
    const other = await client.images.edit(
      extended({ image: await file(), prompt: 'blue', model: '@scope/other' }, more),
    );
    expect(bytesOf(first.data![0].b64_json!)).toEqual(own.images[0]);
    expect(bytesOf(other.data![0].b64_json!)).toEqual(own.images[0]);
  });

  test('with a mask: what is transparent is drawn, the rest stays; streamed too', async () => {
    const { width, height } = given;
    const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i % 4 === 3 && i < width * 8 ? 0 : 255));
    const raw = { width, height, channels: 4 as const };
    const mask = async () => toFile(await sharp(rgba, { raw }).png().toBuffer(), 'm.png', { type: 'image/png' });
    const answer = await client.images.edit(
      extended({ image: await file(), mask: await mask(), prompt: 'hat' }, { seed: 2 }),
    );
    const picture = bytesOf(answer.data![0].b64_json!);
    const data = new Float32Array(width * height).fill(1, 0, width * 2);
    const image = { from: rounded(given), mask: { width, height, data } };
    const own = await drawn({ prompt: [{ text: 'hat' }], forceImage: true, maxTokens: 0, seed: 2, image });
    expect(picture).toEqual(own.images[0]);
    const kept = toBytes(given.data).subarray(width * 6);
    expect(picture.subarray(width * 6)).toEqual(kept);
    expect(picture.subarray(0, width * 6)).not.toEqual(toBytes(given.data).subarray(0, width * 6));

    const streamed = {
      image: await file(),
      mask: await mask(),
      prompt: 'hat',
      stream: true as const,
      partial_images: 2,
    };
    const events = [];
    for await (const event of await client.images.edit(extended(streamed, { seed: 2 }))) events.push(event);
    expect(events.map(({ type }) => type)).toEqual([
      ...['image_edit.partial_image', 'image_edit.partial_image', 'image_edit.completed'],
    ]);
    expect(bytesOf(events[2].b64_json)).toEqual(picture);
  });
});

describe('chat', () => {
  const url = async () => `data:image/png;base64,${(await png(testPicture(1))).toString('base64')}`;
  const asked = async () => [
    { role: 'system' as const, content: 'ab' },
    {
      role: 'user' as const,
      content: [
        { type: 'image_url' as const, image_url: { url: await url() } },
        { type: 'text' as const, text: 'a red' },
      ],
    },
  ];
  const prompt = () => [{ text: 'ab' }, { image: rounded(testPicture(1)) }, { text: 'a red' }];

  test('streamed, with an image in it, is what the library writes', async () => {
    const given = { model: 'tiny', messages: await asked(), max_tokens: 24, stream: true as const, top_p: 0.9 };
    const streamed = await client.chat.completions.create(
      extended(given, { seed: 6, stream_options: { include_usage: true }, num_inference_steps: 2 }),
    );
    let text = '';
    const images: string[] = [];
    const finishes = [];
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of streamed) {
      expect(chunk).toMatchObject({ object: 'chat.completion.chunk', model: 'tiny' });
      usage = chunk.usage;
      const [choice] = chunk.choices;
      if (!choice) continue;
      text += choice.delta.content ?? '';
      images.push(...imagesOf(choice.delta));
      finishes.push(choice.finish_reason);
    }
    const sampling = { seed: 6, maxTokens: 24, text: { temperature: 1, topP: 0.9 }, image: { steps: 2 } };
    const own = await drawn({ prompt: prompt(), ...sampling });
    expect(text).toBe(own.text);
    expect(text.length).toBeGreaterThan(0);
    expect(images.map(bytesOfUrl)).toEqual(own.images);
    expect(finishes.filter((finish) => finish !== null)).toEqual([expect.stringMatching(/^(stop|length)$/)]);
    expect(finishes.at(-1)).not.toBeNull();
    expect(usage).toMatchObject({
      prompt_tokens: 2 + 4 + 5,
      total_tokens: usage!.prompt_tokens + usage!.completion_tokens,
    });
  });

  test('images alone, and texts alone, each choice of its own seed; an answer can be sent back', async () => {
    const messages = [{ role: 'user' as const, content: 'frog' }];
    const given = { model: 'tiny', messages, n: 2 };
    const answer = await client.chat.completions.create(extended(given, { modalities: ['image'], seed: 8 }));
    for (const [i, { message, finish_reason }] of answer.choices.entries()) {
      const own = await drawn({
        prompt: [{ text: 'frog' }],
        forceImage: true,
        maxTokens: 0,
        maxImages: 1,
        seed: 8 + i,
      });
      expect(imagesOf(message).map(bytesOfUrl)).toEqual(own.images);
      expect(message).toMatchObject({ role: 'assistant', content: null, refusal: null });
      expect(finish_reason).toBe('stop');
    }
    expect(answer.usage).toEqual({ prompt_tokens: 4, completion_tokens: 8, total_tokens: 12 });
    const more = [...messages, answer.choices[0].message, { role: 'user' as const, content: 'more' }];
    const text = await client.chat.completions.create(
      extended({ model: 'tiny', messages: more, max_completion_tokens: 5, temperature: 0 }, { modalities: ['text'] }),
    );
    const [image] = imagesOf(answer.choices[0].message).map(bytesOfUrl);
    const data = Float32Array.from(image, (value) => value / 127.5 - 1);
    const parts = [{ text: 'frog' }, { image: { width: 4, height: 4, data } }, { text: 'more' }];
    const own = await drawn({ prompt: parts, maxTokens: 5, maxImages: 0 });
    expect(text.choices[0].message.content).toBe(own.text);
  });

  test('ends at a stop text', async () => {
    const given = { model: 'tiny', messages: await asked(), temperature: 0, max_tokens: 12 };
    const whole = (await client.chat.completions.create(extended(given, { modalities: ['text'] }))).choices[0];
    const { content } = whole.message;
    const stop = content!.slice(3, 5);
    const cut = (await client.chat.completions.create(extended({ ...given, stop }, { modalities: ['text'] })))
      .choices[0];
    expect(cut).toMatchObject({
      finish_reason: 'stop',
      message: { content: content!.slice(0, content!.indexOf(stop)) },
    });
  });
});

describe('responses', () => {
  const tools = [{ type: 'image_generation' as const, partial_images: 2 }];
  const given = { model: 'tiny', input: 'a frog', max_output_tokens: 12, instructions: 'draw' };

  test('interleaved, streamed: every event in its order, and in the end the whole', async () => {
    const params = { ...given, tools, tool_choice: 'required' as const };
    const events: OpenAI.Responses.ResponseStreamEvent[] = [];
    const stream = client.responses.stream(extended(params, { seed: 2 }));
    for await (const event of stream) events.push(event);
    const final = await stream.finalResponse().catch(() => undefined);
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i));
    const image = ['in_progress', 'generating', 'partial_image', 'partial_image', 'completed'];
    expect(events.slice(0, 9).map(({ type }) => type)).toEqual([
      ...['response.created', 'response.in_progress', 'response.output_item.added'],
      ...image.map((name) => `response.image_generation_call.${name}`),
      'response.output_item.done',
    ]);
    const last = events.at(-1) as OpenAI.Responses.ResponseCompletedEvent;
    expect(last.type).toMatch(/^response\.(completed|incomplete)$/);
    if (last.type === 'response.completed') expect(final!.id).toBe(last.response.id);
    const own = await drawn({
      ...{
        prompt: [{ text: 'draw\na frog' }],
        seed: 2,
        maxTokens: 12,
        forceImage: true,
        text: { temperature: 1, topP: 1 },
      },
      previewEvery: 2,
    });
    const { output, usage } = last.response;
    expect(output[0]).toMatchObject({ type: 'image_generation_call', status: 'completed', id: expect.any(String) });
    const results = output.flatMap((item) => (item.type === 'image_generation_call' ? [bytesOf(item.result!)] : []));
    expect(results).toEqual(own.images);
    const text = output.flatMap((item) => (item.type === 'message' ? item.content : []));
    expect(text.map((part) => part.type === 'output_text' && part.text).join('')).toBe(own.text);
    const deltas = events.flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : []));
    expect(deltas.join('')).toBe(own.text);
    expect(usage!.total_tokens).toBe(usage!.input_tokens + usage!.output_tokens);
  });

  test('not streamed, without the tool: text alone; its items can be sent back', async () => {
    const answer = await client.responses.create(extended({ ...given, temperature: 0 }, { seed: 1 }));
    const own = await drawn({ prompt: [{ text: 'draw\na frog' }], maxTokens: 12, maxImages: 0 });
    expect(answer.output_text).toBe(own.text);
    expect(answer).toMatchObject({ object: 'response', model: 'tiny', error: null });
    expect(['completed', 'incomplete']).toContain(answer.status);
    const image = { type: 'image_generation_call' as const, id: 'ig_1', status: 'completed' as const };
    const result = (await png(testPicture(1))).toString('base64');
    const input = [
      ...answer.output,
      { ...image, result },
      { role: 'user' as const, content: [{ type: 'input_text' as const, text: 'on' }] },
    ];
    const next = await client.responses.create({ model: 'tiny', input, max_output_tokens: 3, temperature: 0 });
    const parts = [{ text: answer.output_text }, { image: rounded(testPicture(1)) }, { text: 'on' }];
    expect(next.output_text).toBe((await drawn({ prompt: parts, maxTokens: 3, maxImages: 0 })).text);
  });
});

test('models', async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  expect(names).toEqual(['tiny', '@scope/other']);
  const model = { id: '@scope/other', object: 'model', created: 1_700_000_000, owned_by: 'transfusion' };
  expect(await client.models.retrieve('@scope/other')).toEqual(model);
});

describe('errors are those of the client', () => {
  const caught = async (promise: Promise<unknown>): Promise<InstanceType<typeof APIError>> => {
    return promise.then(
      () => expect(undefined).toBe('an error'),
      (error) => error,
    );
  };

  test('what does not fit names its field', async () => {
    for (const [more, param, code] of [
      [{ n: 0 }, 'n', 'integer_below_min_value'],
      [{ n: 'two' }, 'n', 'invalid_type'],
      [{ output_format: 'gif' }, 'output_format', 'invalid_value'],
      [{ size: '1024x1024' }, null, 'invalid_size'],
      [{ size: '30000x30000' }, null, 'invalid_size'],
      [{ size: 'large' }, 'size', 'invalid_value'],
      [{ prompt: undefined }, 'prompt', 'missing_required_parameter'],
      [{ promt: 'x' }, 'promt', 'unknown_parameter'],
      [{ num_inference_steps: 500 }, 'num_inference_steps', 'integer_above_max_value'],
      [{ guidance_scale: 1, negative_prompt: 'x' }, 'negative_prompt', 'invalid_value'],
      [{ prompt: 'x'.repeat(100) }, null, 'context_length_exceeded'],
      [{ quality: 'high' }, 'quality', 'invalid_value'],
      [{ partial_images: 2 }, 'partial_images', 'invalid_value'],
    ] as const) {
      const error = await caught(client.images.generate(extended({ prompt: 'x' }, more)));
      expect(error).toBeInstanceOf(BadRequestError);
      expect(error).toMatchObject({ status: 400, type: 'invalid_request_error', param, code });
      expect(error.requestID).toMatch(/^req_/);
      expect((error.error as { message: string }).message).not.toMatch(/image\.|SAMPLER|undefined/);
    }
  });

  test('keys, models, addresses', async () => {
    const other = new OpenAI({ baseURL: `${server.address}/v1`, apiKey: 'sk-wrong', maxRetries: 0 });
    const wrong = await caught(other.models.list());
    expect(wrong).toBeInstanceOf(AuthenticationError);
    expect(wrong).toMatchObject({ status: 401, code: 'invalid_api_key' });
    const missing = await caught(client.images.generate({ prompt: 'x', model: '../tiny' }));
    expect(missing).toBeInstanceOf(NotFoundError);
    expect(missing).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
    expect(await caught(client.models.retrieve('none'))).toBeInstanceOf(NotFoundError);
    const elsewhere = await caught(client.files.list());
    expect(elsewhere).toBeInstanceOf(NotFoundError);
    expect(elsewhere.message).toMatch(/Invalid URL \(GET \/v1\/files\)/);
    expect(PermissionDeniedError).toBeDefined();
  });

  test('in a stream before its first event too, by the status', async () => {
    const given = { prompt: 'x'.repeat(100), stream: true as const };
    expect(await caught(client.images.generate(given))).toMatchObject({ status: 400, code: 'context_length_exceeded' });
  });
});

/** The pixels as a file of 8 bits has them. */
function rounded({ width, height, data }: RgbImage): RgbImage {
  return { width, height, data: Float32Array.from(toBytes(data), (value) => Math.fround(value / 255) * 2 - 1) };
}

function imagesOf(message: object): string[] {
  const { images = [] } = message as { images?: { type: string; image_url: { url: string } }[] };
  return images.map(({ image_url }) => image_url.url);
}

function bytesOfUrl(url: string): Uint8Array {
  expect(url).toMatch(/^data:image\/png;base64,/);
  return bytesOf(url.slice(url.indexOf(',') + 1));
}
