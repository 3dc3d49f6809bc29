import { readSafetensors } from './index.js';
import { decodeText, parseJson } from './text.js';

const utf8 = (text: string) => new TextEncoder().encode(text);
const utf16 = (text: string) => new Uint8Array(Uint16Array.from(text, (letter) => letter.charCodeAt(0)).buffer);
const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:af07\nsize 334643268\n';
const PAGE = '<!DOCTYPE html>\n<html class=""><head><title>diffusion_pytorch_model.safetensors</title></head></html>';

test('a byte order mark is left out, and only that', () => {
  expect(decodeText(utf8('\ufeff{"a": "ü\ufeff"}'), 'f')).toBe('{"a": "ü\ufeff"}');
  expect(decodeText(utf8('{}'), 'f')).toBe('{}');
  expect(decodeText(new Uint8Array(0), 'f')).toBe('');
});

test.each([
  ['little-endian, with a mark', utf16('\ufeff{"a": 1}')],
  ['big-endian, with a mark', utf16('\ufeff{"a": 1}').map((_, i, bytes) => bytes[i ^ 1])],
  ['without a mark', utf16('{"a": 1}')],
])('UTF-16 %s', (_, bytes) => {
  expect(() => decodeText(bytes, 'c.json')).toThrow(/^CHECKPOINT_FORMAT: c\.json is UTF-16 text, .*save it as UTF-8/s);
});

test.each<[string, Uint8Array, RegExp]>([
  ['Latin-1', Uint8Array.of(0x22, 0xfc, 0x22), /is no UTF-8 text/],
  ['a pickle', Uint8Array.of(0x80, 2, 0x7d, 0x71), /is a Python pickle.*can run code/s],
  ['a Git LFS pointer', utf8(POINTER), /is a Git LFS pointer.*git lfs pull/s],
])('text that is %s', (_, bytes, message) => {
  expect(() => decodeText(bytes, 'c.json')).toThrow(message);
});

test.each<[string, RegExp]>([
  [PAGE, /is not JSON: it is a web page.*\/resolve\//s],
  [`\n${PAGE}`, /it is a web page/],
  ['', /is not JSON: it is empty.*cut off/s],
  ['{"a": 1,}', /is not JSON: .*edited by hand/s],
  ['Entry not found', /is text that begins with "Entry not found"/],
])('JSON that is %j', (text, message) => {
  expect(() => parseJson(text, 'c.json')).toThrow(message);
  expect(() => parseJson(text, 'c.json')).toThrow(/^CHECKPOINT_FORMAT: c\.json/);
});

test.each<[string, string | Uint8Array, RegExp]>([
  ['a Git LFS pointer', POINTER, /is a Git LFS pointer.*git lfs pull/s],
  ['a web page', PAGE, /is a web page.*\/resolve\//s],
  ['a pickle in a zip', 'PK\x03\x04archive/data.pkl', /zip archive.*save_pretrained/s],
  ['a pickle', Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9), /a Python pickle/],
  ['GGUF', 'GGUF\x03\0\0\0\0\0\0\0', /a GGUF file/],
  ['an answer of a server', 'Entry not found', /text that begins with "Entry not found"/],
  ['a shorter answer', 'Denied', /has 6 bytes, .*text that begins with "Denied"/],
  ['JSON', '{"error": "Access to this model is restricted"}', /text that begins with "\{\\"error/],
])('weights that are %s: said so, and not "damaged"', (_, content, message) => {
  const file = typeof content === 'string' ? utf8(content) : content;
  const read = () => readSafetensors(file, 'w.safetensors');
  expect(read).toThrow(message);
  expect(read).toThrow(/^CHECKPOINT_FORMAT: w\.safetensors/);
  expect(read).not.toThrow(/cut off|damaged/);
});
