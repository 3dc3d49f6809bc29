import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { openCodec, readCodecFolder, type VqCodec } from '../index.js';
import { fixtureFolder, readGolden, relativeError } from '../testing/fixtures.js';

let backend: Backend;
let codec: VqCodec;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  codec = openCodec({ backend, ...(await readCodecFolder(fixtureFolder('vq'))) }) as VqCodec;
});
afterAll(async () => {
  codec.dispose();
  await backend.dispose();
});

const size = { height: 10, width: 8 };
const golden = readGolden('vq/expected.safetensors');

function split(name: string): Float32Array[] {
  const { data } = golden.get(name)!;
  return [data.slice(0, data.length / 2), data.slice(data.length / 2)];
}
const [images, codes, quantised, reconstruction] = ['images', 'codes', 'quantised', 'reconstruction'].map(split);

test('images to token ids and back are those of PyTorch', async () => {
  const found = await codec.encodeCodes({ ...size, images });
  expect(found.map((each) => [...each])).toEqual(codes.map((each) => [...each]));
  const decoded = await codec.decodeCodes({ ...size, codes: found });
  decoded.forEach((each, i) => expect(relativeError(each, reconstruction[i])).toBeLessThan(1e-4));
});

test("as a codec, latents are the codes' vectors, scaled; decoding takes the nearest code of whatever it gets", async () => {
  expect(codec.latentShape(size)).toEqual({ height: 5, width: 4, channels: 3 });
  const latents = await codec.encode({ ...size, images });
  latents.forEach((each, i) => {
    const expected = quantised[i].map((value) => value * 0.5);
    expect(relativeError(each, expected)).toBeLessThan(1e-6);
  });
  const near = latents.map((each) => each.map((value, i) => value + 1e-3 * Math.sin(i)));
  const decoded = await codec.decode({ ...size, latents: near });
  decoded.forEach((each, i) => expect(relativeError(each, reconstruction[i])).toBeLessThan(1e-4));
});

test('what does not fit is refused by name', async () => {
  const bad = Int32Array.from(codes[0]);
  bad[3] = 24;
  await expect(codec.decodeCodes({ ...size, codes: [bad] })).rejects.toThrow(
    /CODEC_CODES: vq\.decodeCodes: codes\[0\]\[3\] is 24; the codebook has 24 codes, 0 to 23/,
  );
  await expect(codec.decodeCodes({ ...size, codes: [bad.subarray(0, 3)] })).rejects.toThrow(
    /CODEC_SHAPE.*codes\[0\] has 3 values, expected \[5, 4\] = 20/,
  );
  await expect(codec.decodeCodes({ ...size, codes: [[...codes[0]]] as never })).rejects.toThrow(
    /CODEC_SHAPE: vq\.decodeCodes: codes\[0\] is a plain array, expected an Int32Array.*Int32Array\.from/s,
  );
  await expect(codec.decodeCodes({ ...size, codes: bad as never })).rejects.toThrow(
    /codes are an Int32Array, expected a list/,
  );
  await expect(codec.encode({ height: 11, width: 8, images })).rejects.toThrow(/CODEC_IMAGE_SIZE: VQModel/);
});
