import { expect, test } from '../helpers/e2e.ts';

test('a lesson knows where one is and what is done, also after a reload', async ({ page, ballast }) => {
  await page.goto(`${ballast.url}/lessons/one-image/`);
  const bar = page.locator('lesson-steps');
  await expect(bar).toContainText('1/8');
  await expect(bar).toContainText('0 of 8 done');

  await page.getByRole('button', { name: 'Mark as done: Weigh it' }).click();
  await expect(bar).toContainText('1 of 8 done');
  await page.locator('step-end[data-done]').getByRole('link', { name: 'Who else is on board?' }).click();
  await expect(bar).toContainText('2/8');
  await expect(page.getByRole('heading', { name: 'Who else is on board?' })).toBeInViewport();

  await page.reload();
  await expect(bar).toContainText('1 of 8 done');
  await bar.locator('summary').click();
  await expect(bar.getByRole('link', { name: 'Weigh it (done)' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(bar.getByRole('link', { name: 'Weigh it (done)' })).toBeHidden();

  await page.goto(ballast.url);
  await expect(page.locator('lesson-mark[data-lesson="one-image"]')).toHaveText('1 step marked');
});

test('a step with checks cannot be marked, and waits for a sandbox', async ({ page, ballast }) => {
  await page.goto(`${ballast.url}/lessons/one-image/`);
  const end = page.locator('step-end').filter({ hasText: 'The deploy key is in no layer' });
  await expect(end).toContainText('This step is done when these checks pass:');
  await expect(end.getByRole('button', { name: 'Check this step' })).toHaveAttribute('aria-disabled', 'true');
  await expect(end.getByRole('button', { name: 'Mark' })).toHaveCount(0);
});

test('a word of the glossary tells its meaning to pointer and keyboard, and Escape hides it', async ({
  page,
  ballast,
}) => {
  await page.goto(`${ballast.url}/lessons/one-image/`);
  const word = page.locator('glossary-term a', { hasText: 'layer' }).first();
  const meaning = page.getByRole('tooltip', { name: /What one instruction of a Dockerfile/ });
  // Scrolling hides a meaning: it must be over before the pointer comes.
  await word.scrollIntoViewIfNeeded();
  await word.hover();
  await expect(meaning).toBeVisible();
  // The pointer may go over to the text without losing it.
  await meaning.hover();
  await expect(meaning).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(meaning).toBeHidden();
  await word.focus();
  await expect(meaning).toBeVisible();
  await expect(word).toHaveAccessibleDescription(/What one instruction of a Dockerfile/);
  await word.blur();
  await expect(meaning).toBeHidden();
});
