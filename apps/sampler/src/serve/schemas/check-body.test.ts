import { ApiError } from '../api-error.js';
import { chatSchema } from './chat.js';
import { checkBody } from './check-body.js';
import { formValues, imageEditSchema, imageGenerationSchema } from './images.js';
import { responseSchema } from './responses.js';

const refusal = (schema: Parameters<typeof checkBody>[0], body: unknown) => {
  try {
    checkBody(schema, body);
  } catch (error) {
    if (error instanceof ApiError) return error.body.error;
    throw error;
  }
  throw new Error('it was accepted');
};
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });

test.each([
  ['[]', [], null, 'invalid_type', 'Invalid body: expected a JSON object.'],
  ['nothing', {}, 'prompt', 'missing_required_parameter', "Missing required parameter: 'prompt'."],
  [
    'a number',
    { prompt: 3 },
    'prompt',
    'invalid_type',
    "Invalid type for 'prompt': expected string, but got an integer instead.",
  ],
  [
    '0',
    { prompt: '', n: 0 },
    'n',
    'integer_below_min_value',
    "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead.",
  ],
  [
    '1.5',
    { prompt: '', n: 1.5 },
    'n',
    'invalid_type',
    "Invalid type for 'n': expected int, but got a decimal instead.",
  ],
  [
    '11',
    { prompt: '', n: 11 },
    'n',
    'integer_above_max_value',
    "Invalid 'n': integer above maximum value. Expected a value <= 10, but got 11 instead.",
  ],
  [
    'long',
    { prompt: 'x'.repeat(32_001) },
    'prompt',
    'string_above_max_length',
    "Invalid 'prompt': string too long. Expected at most 32000 characters, but got 32001 instead.",
  ],
  [
    'unknown',
    { prompt: '', gidance_scale: 3 },
    'gidance_scale',
    'unknown_parameter',
    "Unknown parameter: 'gidance_scale'. Did you mean 'guidance_scale'?",
  ],
  [
    'quality',
    { prompt: '', quality: 'hd' },
    'quality',
    'invalid_value',
    "Invalid value for 'quality': 'hd'. Supported values are: 'auto', 'standard', which are supported here.",
  ],
  [
    'style',
    { prompt: '', style: 'vivid' },
    'style',
    'invalid_value',
    "Invalid value for 'style': 'vivid'. Only 'natural' is supported here.",
  ],
])('images: %s', (_, body, param, code, message) => {
  expect(refusal(imageGenerationSchema, body)).toEqual({ type: 'invalid_request_error', param, code, message });
});

test.each([
  [{ messages: [] }, 'messages', 'array_below_min_length'],
  [user(3), 'messages[0].content', 'invalid_type'],
  [user([{ type: 'text' }]), 'messages[0].content[0].text', 'missing_required_parameter'],
  [user([{ type: 'input_audio', input_audio: {} }]), 'messages[0].content[0].type', 'invalid_value'],
  [user([{ type: 'text', text: '', extra: 1 }]), 'messages[0].content[0].extra', 'unknown_parameter'],
  [{ messages: [{ role: 'tool', content: '' }] }, 'messages[0].role', 'invalid_value'],
  [{ ...user(''), tools: [{ type: 'function' }] }, 'tools', 'array_above_max_length'],
  [{ ...user(''), temperature: 3 }, 'temperature', 'integer_above_max_value'],
  [{ ...user(''), max_tokens: 3, max_completion_tokens: 4 }, 'max_tokens', 'invalid_value'],
  [{ ...user(''), audio: { voice: 'x' } }, 'audio', 'unsupported_parameter'],
  [{ ...user(''), frequency_penalty: 1 }, 'frequency_penalty', 'invalid_value'],
  [{ ...user(''), stream_options: {} }, 'stream_options', 'invalid_value'],
  [{ ...user(''), stop: ['a', ''] }, 'stop[1]', 'string_below_min_length'],
  [{ ...user(''), response_format: { type: 'json_object' } }, 'response_format.type', 'invalid_value'],
])('chat: %j', (body, param, code) => {
  expect(refusal(chatSchema, body)).toMatchObject({ param, code });
});

test.each([
  [{}, 'input', 'missing_required_parameter'],
  [{ input: '', store: true }, 'store', 'invalid_value'],
  [{ input: '', previous_response_id: 'resp_1' }, 'previous_response_id', 'unsupported_parameter'],
  [{ input: '', tool_choice: 'required' }, 'tool_choice', 'invalid_value'],
  [{ input: '', tools: [{ type: 'web_search' }] }, 'tools[0].type', 'invalid_value'],
  [
    { input: '', tools: [{ type: 'image_generation', partial_images: 4 }] },
    'tools[0].partial_images',
    'integer_above_max_value',
  ],
  [
    { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 3 }] }] },
    'input[0].content[0].image_url',
    'invalid_type',
  ],
])('responses: %j', (body, param, code) => {
  expect(refusal(responseSchema, body)).toMatchObject({ param, code });
});

test('null is nothing, and what asks for nothing is accepted', () => {
  const nothing = {
    n: null,
    size: null,
    quality: 'auto',
    background: 'opaque',
    moderation: 'low',
    user: 'me',
    style: 'natural',
  };
  expect(checkBody(imageGenerationSchema, { prompt: 'x', ...nothing })).toMatchObject({ n: 1, size: undefined });
  const penalties = {
    frequency_penalty: 0,
    presence_penalty: 0,
    logit_bias: {},
    logprobs: false,
    tools: [],
    store: false,
  };
  const others = {
    metadata: { a: 'b' },
    service_tier: 'auto',
    response_format: { type: 'text' },
    stop: null,
    seed: null,
  };
  expect(checkBody(chatSchema, { ...user('x'), ...penalties, ...others })).toMatchObject({ temperature: 1, stop: [] });
});

test('null is nothing inside of messages, too', () => {
  const image = { type: 'image_url', image_url: { url: 'data:', detail: null } };
  const nulls = { name: null, refusal: null, audio: null, function_call: null, tool_calls: null, annotations: null };
  const messages = [
    { role: 'user', content: [image], name: null },
    { role: 'assistant', content: null, images: null, ...nulls },
  ];
  expect(checkBody(chatSchema, { messages }).messages).toHaveLength(2);
  const input = [
    { role: 'user', content: [{ type: 'input_image', image_url: 'data:', detail: null, file_id: null }] },
    { type: 'message', id: null, status: null, phase: null, role: 'assistant', content: '' },
  ];
  expect(checkBody(responseSchema, { input }).input).toHaveLength(2);
});

test('sizes', () => {
  const sizeOf = (size: string) => checkBody(imageGenerationSchema, { prompt: '', size }).size;
  expect(sizeOf('64x32')).toEqual({ width: 64, height: 32 });
  expect(sizeOf('30000x1')).toEqual({ width: 30_000, height: 1 });
  expect(sizeOf('auto')).toBeUndefined();
  for (const size of ['0x4', '4', '4x', '-4x4', '4x4x4', '100000x1', '4X4', ' 4x4'])
    expect(() => sizeOf(size)).toThrow(/'size'/);
});

test('the fields of a form are texts: numbers and flags are read, anything else is told as it is', () => {
  const fields = { prompt: '12', n: '2', seed: '1e3', stream: 'true', guidance_scale: '-1.5' };
  expect(formValues(fields)).toEqual({ prompt: '12', n: 2, seed: '1e3', stream: true, guidance_scale: -1.5 });
  expect(refusal(imageEditSchema, formValues(fields))).toMatchObject({ param: 'seed', code: 'invalid_type' });
  expect(refusal(imageEditSchema, formValues({ prompt: '', stream: 'yes' }))).toMatchObject({ param: 'stream' });
});
