/**
 * Regenerates the pictures of the README: a real server, a real build, real checks.
 *   node bin/with-deps.mjs tests/screenshots.ts [FOLDER]
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from '@playwright/test';
import playwrightConfig from '../playwright.config.ts';
import { projectRoot } from '../sandbox-server/cli/project.ts';
import { startBallast } from './helpers/ballast-process.ts';
import { openLab, terminalReady, typeLine } from './helpers/e2e.ts';

const folder = process.argv[2] ?? join(projectRoot, 'docs', 'images');
const sizes = [
  { name: '1440', width: 1440, height: 900 },
  { name: '1024', width: 1024, height: 768 },
  { name: '390', width: 390, height: 844 },
] as const;

async function take(page: Page, name: string): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    for (const { name: size, width, height } of sizes) {
      await page.setViewportSize({ width, height });
      // The terminal and the editor lay themselves out again in an animation frame.
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      await page.screenshot({ path: join(folder, `${name}-${size}-${scheme}.png`) });
    }
  }
}

mkdirSync(folder, { recursive: true });
await using ballast = await startBallast();
const browser = await chromium.launch(playwrightConfig.use?.launchOptions ?? {});
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
await page.goto(ballast.url);
await take(page, 'home');
await page.setViewportSize({ width: 1440, height: 900 });
await openLab(page, ballast);
await typeLine(page, 'docker build -t greeter .');
await page.getByTestId('image-greeter:latest').waitFor({ timeout: 180_000 });
await page.getByTestId('run-checks').click();
await page.getByTestId('checks-summary').and(page.locator('[data-state="done"]')).waitFor({ timeout: 180_000 });
await terminalReady(page);
await take(page, 'lesson');
await browser.close();
