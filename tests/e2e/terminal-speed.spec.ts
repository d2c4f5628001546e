import type { CDPSession, Page } from '@playwright/test';
import { expect, openLab, test, typeLine } from '../helpers/e2e.ts';

const megabyte = 1e6;
/** The page keeps 10 000 lines for each terminal, and what is on its way. */
const heapGrowthLimit = 60 * megabyte;

async function heapBytes(client: CDPSession): Promise<number> {
  await client.send('HeapProfiler.collectGarbage');
  return (await client.send('Runtime.getHeapUsage')).usedSize;
}

async function serverMemory(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
}

/** Notes how long each frame of the page takes; `stop` gives the longest, in ms. */
async function watchFrames(page: Page): Promise<{ elapsed(): Promise<number>; stop(): Promise<number> }> {
  const watch = await page.evaluateHandle(() => {
    const begun = performance.now();
    const state = { longest: 0, elapsed: 0, stopped: false };
    let last = begun;
    const frame = (): void => {
      const now = performance.now();
      state.longest = Math.max(state.longest, now - last);
      last = now;
      state.elapsed = now - begun;
      if (!state.stopped) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    return state;
  });
  return {
    elapsed: () => watch.evaluate(({ elapsed }) => elapsed),
    stop: () =>
      watch.evaluate((state) => {
        state.stopped = true;
        return state.longest;
      }),
  };
}

test('a program that prints for ever holds up neither page nor Ctrl-C', async ({ page, ballast }) => {
  await openLab(page, ballast);
  const terminal = page.getByTestId('terminal');
  const client = await page.context().newCDPSession(page);
  const heapBefore = await heapBytes(client);
  const memoryBefore = await serverMemory(ballast.url);

  await typeLine(page, 'yes "a line that is printed again and again"');
  await expect(terminal).toContainText('again and again');
  // Five seconds of it, during which the page must go on answering.
  const frames = await watchFrames(page);
  await expect.poll(() => frames.elapsed(), { timeout: 15_000 }).toBeGreaterThan(5000);
  const longestFrame = await frames.stop();
  const pressed = performance.now();
  await page.keyboard.press('Control+C');
  await page.keyboard.type('echo stopped-$((40 + 2))');
  await page.keyboard.press('Enter');
  await expect(terminal).toContainText('stopped-42', { timeout: 15_000 });
  const stoppedMs = performance.now() - pressed;

  await typeLine(page, 'head -c 200000000 /dev/zero | tr "\\0" x | fold -w 120; echo all-$((100 + 100))');
  await expect(terminal).toContainText('all-200', { timeout: 120_000 });
  const heapGrowth = (await heapBytes(client)) - heapBefore;
  const memoryGrowth = (await serverMemory(ballast.url)) - memoryBefore;
  process.stdout.write(
    `terminal: longest frame ${longestFrame.toFixed(0)} ms, Ctrl-C to prompt ${stoppedMs.toFixed(0)} ms, ` +
      `after 200 MB the page's heap grew by ${(heapGrowth / megabyte).toFixed(1)} MB, ` +
      `the server's memory by ${(memoryGrowth / megabyte).toFixed(1)} MB\n`,
  );
  expect(longestFrame).toBeLessThan(1000);
  expect(stoppedMs).toBeLessThan(5000);
  expect(heapGrowth).toBeLessThan(heapGrowthLimit);
  expect(memoryGrowth).toBeLessThan(150 * megabyte);
});

test('a build draws its progress, leaves the page free, and stops at Ctrl-C', async ({ page, ballast }) => {
  await openLab(page, ballast);
  const terminal = page.getByTestId('terminal');
  const frames = await watchFrames(page);
  // On a terminal, the progress is drawn over itself many times a second.
  await typeLine(page, 'clear; docker build --no-cache -t drawn . && echo drawn-$((40 + 2))');
  await expect(terminal).toContainText('RUN go build', { timeout: 60_000 });
  await expect(terminal).toContainText('drawn-42', { timeout: 120_000 });
  const longestFrame = await frames.stop();
  // Each step stands there once: what was drawn over is not left behind.
  const shown = (await terminal.textContent()) ?? '';
  expect(shown.match(/exporting to image/g)).toHaveLength(1);

  // The screen has the first build's steps until it is cleared.
  await typeLine(page, 'clear; echo begun-$((40 + 3)); docker build --no-cache -t stopped .');
  await expect(terminal).toContainText('begun-43', { timeout: 15_000 });
  await expect(terminal).toContainText('RUN go build', { timeout: 60_000 });
  const pressed = performance.now();
  await page.keyboard.press('Control+C');
  await expect(terminal).toContainText('CANCELED', { timeout: 15_000 });
  await page.keyboard.type('echo stopped-$((40 + 2))');
  await page.keyboard.press('Enter');
  await expect(terminal).toContainText('stopped-42', { timeout: 15_000 });
  process.stdout.write(
    `terminal: longest frame during a build ${longestFrame.toFixed(0)} ms, ` +
      `Ctrl-C to prompt ${(performance.now() - pressed).toFixed(0)} ms\n`,
  );
  expect(longestFrame).toBeLessThan(1000);
});
