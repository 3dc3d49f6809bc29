/** Draws captions with the model in `public/model`, on the GPU where there is one. */
import { UrlSource } from '@transfusion/checkpoint';
import { createSampler, openModel } from '@transfusion/sampler';
import { openWasm } from '@transfusion/wasm';
import { openWebGpu } from '@transfusion/webgpu';

const [form, button, canvas, output] = ['form', 'button', 'canvas', 'output'].map((name) =>
  document.querySelector(name),
);

const backend = await openWebGpu({ requireGpu: true }).catch(() => openWasm());
const sampler = createSampler({ backend, ...(await openModel(new UrlSource('model'), backend)) });
output.textContent = `ready, on ${backend.description}`;
button.disabled = false;

let seed = 0;
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  const onStep = ({ step, steps }) => {
    output.textContent = `step ${step} of ${steps}`;
  };
  try {
    const prompts = [new FormData(form).get('caption')];
    const [image] = await sampler.drawImages({ prompts, seed: seed++, onStep });
    show(image);
    output.textContent = 'drawn; once more gives another one';
  } catch (error) {
    output.textContent = error.message;
  }
  button.disabled = false;
});

/** Values are from -1 to 1, three for each pixel. */
function show({ width, height, data }) {
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = Math.round((data[3 * i + c] + 1) * 127.5);
    pixels.data[4 * i + 3] = 255;
  }
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext('2d').putImageData(pixels, 0, 0);
}
