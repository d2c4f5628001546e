import { expect, openLab, test, typeLine } from '../helpers/e2e.ts';

const markup = '<img src=x onerror=alert(1)>';
const names = [markup, '<svg onload=alert(1)>', '{alert(1)}', '"onmouseover=alert(1) x="'];

test('names and output with markup and terminal sequences are shown as text', async ({ page, ballast }) => {
  test.setTimeout(240_000);
  const dialogs: string[] = [];
  page.on('dialog', (dialog) => {
    dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  const refused: string[] = [];
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) refused.push(message.text());
  });
  await openLab(page, ballast);
  const title = await page.title();

  await test.step('file names', async () => {
    await typeLine(page, `touch -- ${names.map((name) => `'${name}'`).join(' ')} $'\\e]0;owned\\a'`);
    for (const name of names) await expect(page.getByTestId(`file-${name}`)).toContainText(name);
    await page.getByTestId(`file-${markup}`).click();
    await expect(page.getByTestId('editor')).toBeVisible();
  });

  await test.step('what a terminal shows: titles, links to scripts, markup', async () => {
    await typeLine(page, `printf '\\e]0;owned\\a\\e]2;owned\\a\\e]52;c;b3duZWQ=\\a${markup}\\n'`);
    await typeLine(page, `printf '\\e]8;;javascript:alert(1)\\a%s\\e]8;;\\a\\n' press-he''re`);
    await expect(page.getByTestId('terminal')).toContainText('press-here');
    // xterm.js takes the mouse itself, on a layer above its text.
    await page.getByTestId('terminal').getByText('press-here').last().hover({ force: true });
    await page.getByTestId('terminal').getByText('press-here').last().click({ force: true });
  });

  await test.step('evidence of checks', async () => {
    const lines = ['FROM debian:trixie-slim', `RUN touch "/${markup}.go"`, `CMD ["${markup}"]`];
    await typeLine(
      page,
      `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} > Dockerfile; docker build -t greeter .`,
    );
    await expect(page.getByTestId('image-greeter:latest')).toBeVisible({ timeout: 60_000 });
    await page.getByTestId('run-checks').click();
    await expect(page.getByTestId('check-nothing-extra')).toHaveAttribute('data-status', 'fail', { timeout: 120_000 });
    await expect(page.getByTestId('check-nothing-extra')).toContainText(markup);
  });

  // Nothing of it became part of the page, and nothing ran.
  expect(await page.locator('img[src="x"], svg[onload], [onmouseover], [onerror]').count()).toBe(0);
  expect(await page.title()).toBe(title);
  expect(dialogs).toEqual([]);
  expect(refused).toEqual([]);
});
