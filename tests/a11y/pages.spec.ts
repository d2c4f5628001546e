import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, openLab, test } from '../helpers/e2e.ts';

async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
    .analyze();
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in the ${colorScheme} theme`, () => {
    test.use({ colorScheme });

    test('axe finds nothing on the home page, the lesson and the 404 page', async ({ page, ballast }) => {
      for (const path of ['/', '/lessons/multi-stage-builds/', '/nothing-here']) {
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

test('the lesson reads without JavaScript', async ({ browser, ballast }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${ballast.url}/lessons/multi-stage-builds/`);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.getByText('COPY --from=build').first()).toBeVisible();
  await context.close();
});
