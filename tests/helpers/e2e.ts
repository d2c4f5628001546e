import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test as base, expect, type Page } from '@playwright/test';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import { startBallast, type BallastProcess } from './ballast-process.ts';

/** Playwright's test with one real server for each worker. */
export const test = base.extend<object, { ballast: BallastProcess }>({
  ballast: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads the fixtures a function needs from its pattern
    async ({}, use) => {
      await using ballast = await startBallast();
      await use(ballast);
    },
    { scope: 'worker', timeout: 180_000 },
  ],
});
export { expect };

/** Opens the lesson and starts its sandbox; resolves when the first terminal takes keys. */
export async function openLab(page: Page, ballast: BallastProcess): Promise<void> {
  await page.goto(`${ballast.url}/lessons/multi-stage-builds/`);
  await page.getByTestId('start-sandbox').click();
  await terminalReady(page);
}

/** Waits until the terminal is attached. */
export async function terminalReady(page: Page): Promise<void> {
  await expect(page.getByTestId('terminal')).toHaveAttribute('data-state', 'ready', { timeout: 60_000 });
}

/** Types a line into the terminal as a person does. */
export async function typeLine(page: Page, line: string): Promise<void> {
  await page.getByTestId('terminal').click();
  await page.keyboard.type(line);
  await page.keyboard.press('Enter');
}

/** Content of a file of the lab, such as `solution/Dockerfile`. */
export function labFile(path: string): Promise<string> {
  return readFile(join(projectRoot, 'labs/multi-stage-go', path), 'utf8');
}
