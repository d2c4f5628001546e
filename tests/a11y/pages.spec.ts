import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import { expect, openLab, test } from '../helpers/e2e.ts';

/** Every page of the site, as it was built, and one that is not there. */
async function builtPages(): Promise<string[]> {
  const files = await readdir(join(projectRoot, 'dist'), { recursive: true });
  const pages = files.filter((file) => basename(file) === 'index.html');
  return [...pages.map((file) => `/${file.slice(0, -'index.html'.length)}`).sort(), '/nothing-here'];
}

async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
    .analyze();
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in the ${colorScheme} theme`, () => {
    test.use({ colorScheme });

    test('axe finds nothing on any page', async ({ page, ballast }) => {
      for (const path of await builtPages()) {
        await page.goto(`${ballast.url}${path}`);
        expect(await violations(page), path).toEqual([]);
      }
    });

    test('axe finds nothing in a running workspace', async ({ page, ballast }) => {
      await openLab(page, ballast);
      expect(await violations(page)).toEqual([]);
    });
  });
}

test('a lesson reads without JavaScript: steps, quiz and glossary work, and nothing that would not is shown', async ({
  browser,
  ballast,
}) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${ballast.url}/lessons/multi-stage-builds/`);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.getByText('COPY --from=build').first()).toBeVisible();
  await expect(page.locator('step-end').first()).toBeHidden();
  await page.getByText('In this lesson').click();
  await page.getByRole('link', { name: 'A second FROM' }).click();
  await expect(page).toHaveURL(/#a-second-from$/);
  await page.getByText('It stays about the same.').click();
  await expect(page.getByText('The new layer only says')).toBeVisible();
  await page.locator('glossary-term a').first().click();
  await expect(page).toHaveURL(/\/glossary\/#stage$/);
  await context.close();
});
