/** @file The playground as people use it: what to press, and how to tell that it is done. */
import { readFile } from 'node:fs/promises';
import { decodePng, type RgbImage } from '@transfusion/data';
import type { Page } from 'playwright-core';

const LONG = { timeout: 60_000 };

export class PlaygroundPage {
  constructor(readonly page: Page) {}

  /** Opens the page and waits for its model. @param query such as `backend=wasm` */
  async open(url: string, query: string): Promise<void> {
    await this.page.goto(`${url}?${query}`);
    await this.page.waitForSelector('#prompt', LONG);
  }

  async go(panel: string): Promise<void> {
    await this.page.evaluate((hash) => (location.hash = hash), panel);
    await this.page.waitForFunction(
      (hash) => document.querySelector('a[aria-current]')?.getAttribute('href') === hash,
      `#${panel}`,
    );
  }

  /** The backend's own description. */
  async backend(): Promise<string> {
    await this.page.click('button:has-text("CPU"), button:has-text("WebGPU")');
    const text = await this.page.textContent('dialog[open]');
    await this.page.click('dialog[open] button[aria-label="Close"]');
    return text ?? '';
  }

  /** Draws, and downloads what was drawn. */
  async draw(prompt: string): Promise<{ png: Uint8Array; image: RgbImage }> {
    await this.go('draw');
    await this.page.fill('#prompt', prompt);
    await this.page.click('button.go');
    await this.said(`Done: ${prompt}`);
    const png = await this.download('button:has-text("PNG")');
    return { png, image: decodePng(png) };
  }

  /** What the model says of the picture that was drawn last. */
  async describe(): Promise<string> {
    await this.go('describe');
    await this.page.click('section:has-text("Describe one that was drawn") li button');
    await this.page.waitForSelector('button:has-text("In other words")', LONG);
    return ((await this.page.textContent('.caption')) ?? '').trim();
  }

  /** Paints over the middle of the picture that was drawn last, by keys alone, and has that drawn anew. Pixels before and after. */
  async repaint(prompt: string): Promise<{ before: number[]; after: number[] }> {
    await this.go('edit');
    await this.page.click('section:has-text("Change one that was drawn") li button');
    const before = await this.pixels('canvas[aria-label="The picture to edit"]');
    await this.page.getByLabel('Brush', { exact: true }).fill('60');
    await this.page.focus('[role=application]');
    await this.page.keyboard.press('Space');
    await this.page.fill('#edit-prompt', prompt);
    await this.page.click('button:has-text("Repaint")');
    await this.said('Repainted');
    return { before, after: await this.pixels('canvas[aria-label="The picture to edit"]') };
  }

  /** Begins a run of the smallest model. */
  async train(steps: number): Promise<void> {
    await this.go('train');
    await this.page.click('text=A taste');
    await this.page.waitForSelector('button.go:has-text("Train"):enabled');
    await this.page.fill('.steps input', `${steps}`);
    await this.page.click('button.go:has-text("Train")');
  }

  /** Pauses after some steps, from inside of the page: a small run may be over before a click from outside arrives. */
  async pauseAfter(steps: number): Promise<void> {
    await this.page.evaluate((steps) => {
      const main = document.querySelector('main')!;
      const observer = new MutationObserver(() => {
        const step = Number(/step ([\d,]+) of/.exec(main.textContent ?? '')?.[1].replace(',', ''));
        const pause = [...main.querySelectorAll('button')].find((each) => each.textContent?.trim() === 'Pause');
        if (!(step >= steps) || !pause) return;
        observer.disconnect();
        pause.click();
      });
      observer.observe(main, { subtree: true, childList: true, characterData: true });
    }, steps);
    await this.page.waitForSelector('h2:has-text("Paused")', LONG);
  }

  /** The run as it is kept in the browser's private file system. */
  kept(): Promise<{ step: number; losses: { language: number; diffusion: number }[] }> {
    return this.page.evaluate(async () => {
      const root = await navigator.storage.getDirectory();
      const run = await (await root.getDirectoryHandle('transfusion')).getDirectoryHandle('run');
      for await (const slot of run.values() as AsyncIterable<FileSystemDirectoryHandle>) {
        const handle = await slot.getFileHandle('state.json').catch(() => undefined);
        if (handle) return JSON.parse(await (await handle.getFile()).text());
      }
    });
  }

  /** Waits until the page tells it to those who do not see it. @throws Error with what the page says instead */
  async said(text: string): Promise<void> {
    const heard = () =>
      this.page.evaluate(() => {
        const of = (role: string) =>
          [...document.querySelectorAll(`[role=${role}]`)].map((each) => each.textContent?.trim());
        return { trouble: of('alert').filter((each) => each !== ''), status: of('status') };
      });
    for (const end = Date.now() + LONG.timeout; ; await this.page.waitForTimeout(50)) {
      const { trouble, status } = await heard();
      if (trouble.length === 0 && status.includes(text)) return;
      if (trouble.length > 0 || Date.now() > end) {
        throw new Error(`the page says ${JSON.stringify([...trouble, ...status])}, expected ${JSON.stringify(text)}`);
      }
    }
  }

  async download(selector: string): Promise<Uint8Array> {
    const [download] = await Promise.all([this.page.waitForEvent('download'), this.page.click(selector)]);
    return readFile(await download.path());
  }

  pixels(selector: string): Promise<number[]> {
    return this.page.$eval(selector, (canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const context = (canvas as HTMLCanvasElement).getContext('2d')!;
      return [...context.getImageData(0, 0, width, height).data];
    });
  }

  /** What is wider than the screen. */
  tooWide(): Promise<string[]> {
    return this.page.evaluate(() => {
      const isOut = (each: Element) => each.getBoundingClientRect().right > innerWidth + 1;
      const all = [...document.querySelectorAll('header *, main *')];
      const wide = all.filter(
        (each) => isOut(each) && !each.closest('.hidden, .scroll, .suggestions, [hidden], dialog'),
      );
      return wide.map((each) => `${each.tagName} ${each.className}`);
    });
  }
}
