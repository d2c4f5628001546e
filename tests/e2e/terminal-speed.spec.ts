import type { CDPSession } from '@playwright/test';
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

test('a program that prints for ever holds up neither page nor Ctrl-C', async ({ page, ballast }) => {
  await openLab(page, ballast);
  const terminal = page.getByTestId('terminal');
  const client = await page.context().newCDPSession(page);
  const heapBefore = await heapBytes(client);
  const memoryBefore = await serverMemory(ballast.url);

  await typeLine(page, 'yes "a line that is printed again and again"');
  await expect(terminal).toContainText('again and again');
  // Five seconds of it, during which the page must go on answering.
  const longestFrame = await page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const begun = performance.now();
        let last = begun;
        let longest = 0;
        const frame = (): void => {
          const now = performance.now();
          longest = Math.max(longest, now - last);
          last = now;
          if (now - begun < 5000) requestAnimationFrame(frame);
          else resolve(longest);
        };
        requestAnimationFrame(frame);
      }),
  );
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
