import { viewOf } from './view.js';

const SIDE = 32;
/** A picture with a box of a colour on a ground. */
function picture(colour: readonly number[], ground: readonly number[] = [255, 255, 255]) {
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const isBox = x >= 8 && x < 24 && y >= 12 && y < 20;
      pixels.set(isBox ? colour : ground, (y * SIDE + x) * 3);
    }
  }
  return { width: SIDE, height: SIDE, pixels };
}
const red = picture([220, 40, 40]);

/** Of what is not white: how much there is, and its middle. */
function box(pixels: Uint8Array) {
  let [area, x, y] = [0, 0, 0];
  for (let at = 0; at < pixels.length / 3; at++) {
    const own = (255 - pixels[3 * at + 1]) / 215;
    area += own;
    x += own * (at % SIDE);
    y += own * Math.floor(at / SIDE);
  }
  return { area, x: x / area, y: y / area };
}

test('a picture has the same views at every call, each another one, and stays as it is', () => {
  const before = red.pixels.slice();
  const views = Array.from({ length: 20 }, (_, number) => viewOf(red, number));
  expect(Array.from({ length: 20 }, (_, number) => viewOf(red, number))).toEqual(views);
  expect(new Set(views.map((view) => view.join())).size).toBe(20);
  expect(red.pixels).toEqual(before);
  expect(viewOf(picture([40, 40, 220]), 0)).not.toEqual(views[0]);
});

test('moved, scaled and turned within bounds, one way as often as the other', () => {
  const { area, x, y } = box(red.pixels);
  const seen = Array.from({ length: 60 }, (_, number) => box(viewOf(red, number)));
  for (const view of seen) {
    // Scaled by 15 % along both sides, and darker or lighter by 7 %, more or less red by 20 %.
    expect(Math.abs(Math.log(view.area / area))).toBeLessThan(0.3 + 0.07 + 0.2 + 0.05);
    expect(Math.abs(view.x - x)).toBeLessThan(0.08 * SIDE + 1);
    expect(Math.abs(view.y - y)).toBeLessThan(0.08 * SIDE + 1);
  }
  for (const measure of ['area', 'x', 'y'] as const) {
    const larger = seen.filter((view) => view[measure] > { area, x, y }[measure]).length;
    expect(larger).toBeGreaterThan(15);
    expect(larger).toBeLessThan(45);
  }
});

test('white stays white, gray gray, and red mostly red; beyond an edge the ground goes on', () => {
  for (let number = 0; number < 20; number++) {
    expect(viewOf(picture([255, 255, 255]), number).every((value) => value === 255)).toBe(true);
    const gray = viewOf(picture([90, 90, 90]), number);
    for (let at = 0; at < gray.length; at += 3) expect([gray[at + 1], gray[at + 2]]).toEqual([gray[at], gray[at]]);
    const view = viewOf(picture([220, 40, 40], [200, 60, 60]), number);
    for (let at = 0; at < view.length; at += 3)
      expect(view[at] - Math.max(view[at + 1], view[at + 2])).toBeGreaterThan(90);
  }
});
