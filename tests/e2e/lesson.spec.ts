import { expect, labFile, openLab, terminalReady, test, typeLine } from '../helpers/e2e.ts';

/** A build runs the Go compiler on two cores. */
const buildMs = 150_000;

test('the lab fails on its starter, passes on the solution, and a reload finds the same shell', async ({
  page,
  ballast,
}) => {
  test.setTimeout(600_000);
  await openLab(page, ballast);

  await test.step('a command typed into the terminal runs in the sandbox', async () => {
    // Judged by its side effect: the file that it makes appears in the tree. Two images: with those of all tracks the
    // list is longer than what the editor draws.
    const list = 'docker images --format "{{.Repository}}:{{.Tag}}" | grep -E "^golang:|/static-.*:nonroot$"';
    await typeLine(page, `export LEFT_BEHIND=still-here; ${list} > images.txt`);
    await page.getByTestId('file-images.txt').click();
    await expect(page.getByTestId('editor')).toContainText('golang:1.24');
    await expect(page.getByTestId('editor')).toContainText('gcr.io/distroless/static-debian13:nonroot');
  });

  await test.step('the naive image is built for real, and fails the checks it should', async () => {
    await typeLine(page, 'docker build -t greeter .');
    await expect(page.getByTestId('image-greeter:latest')).toBeVisible({ timeout: buildMs });
    await page.getByTestId('run-checks').click();
    for (const id of ['small-image', 'non-root', 'nothing-extra', 'download-cached', 'tests-in-stage']) {
      await expect(page.getByTestId(`check-${id}`)).toHaveAttribute('data-status', 'fail', { timeout: buildMs });
    }
    for (const id of ['image-built', 'serves-http']) {
      await expect(page.getByTestId(`check-${id}`)).toHaveAttribute('data-status', 'pass');
    }
    await expect(page.getByTestId('check-non-root')).toContainText('root');
  });

  await test.step('the solution, written in the editor, passes them all', async () => {
    await page.getByRole('tab', { name: 'Files' }).click();
    await page.getByTestId('file-Dockerfile').click();
    const editor = page.getByTestId('editor').getByRole('textbox');
    await expect(editor).toContainText('FROM golang:1.24');
    await editor.click();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.insertText(await labFile('solution/Dockerfile'));
    await expect(page.locator('[data-save="saved"]')).toBeVisible();
    await typeLine(page, 'docker build -t greeter . && touch built-again');
    await expect(page.getByTestId('file-built-again')).toBeVisible({ timeout: buildMs });
    // The image has changed: what was checked before is checked again by itself.
    for (const id of [
      'image-built',
      'serves-http',
      'small-image',
      'non-root',
      'nothing-extra',
      'download-cached',
      'tests-in-stage',
    ]) {
      await expect(page.getByTestId(`check-${id}`)).toHaveAttribute('data-status', 'pass', { timeout: buildMs });
    }
    // The four steps of the lesson that these checks complete.
    await expect(page.locator('step-end[data-done]')).toHaveCount(4);
  });

  await test.step('after a reload the same shell is there, with its screen', async () => {
    await page.reload();
    await terminalReady(page);
    await expect(page.getByTestId('terminal')).toContainText('naming to docker.io/library/greeter');
    await page.getByTestId('terminal').click();
    for (let screens = 0; screens < 20; screens += 1) await page.keyboard.press('Shift+PageUp');
    await expect(page.getByTestId('terminal')).toContainText('LEFT_BEHIND=still-here');
    await typeLine(page, 'echo "$LEFT_BEHIND" > proof.txt');
    await page.getByRole('tab', { name: 'Files' }).click();
    await page.getByTestId('file-proof.txt').click();
    await expect(page.getByTestId('editor')).toContainText('still-here');
  });
});

test('a second terminal opens and closes; the first goes on', async ({ page, ballast }) => {
  await openLab(page, ballast);
  await page.getByTestId('terminal-add').click();
  await expect(page.getByRole('tab', { name: /Terminal/ })).toHaveCount(2);
  await terminalReady(page);
  await typeLine(page, 'touch from-the-second');
  await expect(page.getByTestId('file-from-the-second')).toBeVisible();
  await page.getByTestId('terminal-close').last().click();
  await expect(page.getByRole('tab', { name: /Terminal/ })).toHaveCount(1);
  await terminalReady(page);
  await typeLine(page, 'touch from-the-first');
  await expect(page.getByTestId('file-from-the-first')).toBeVisible();
});

test('a code block of the lesson runs in the terminal', async ({ page, ballast }) => {
  await openLab(page, ballast);
  await page
    .getByRole('button', { name: /Run .*in (the )?terminal/i })
    .first()
    .click();
  await expect(page.getByTestId('terminal')).toContainText('CMD /usr/local/bin/greeter');
});

test('a documented key leaves the terminal', async ({ page, ballast }) => {
  await openLab(page, ballast);
  await page.getByTestId('terminal').click();
  await page.keyboard.press('F6');
  await expect(page.getByTestId('terminal').getByRole('textbox')).not.toBeFocused();
});

test('a server killed with -9 in the middle of a build and started again has lost nothing', async ({
  page,
  ballast,
}) => {
  test.setTimeout(300_000);
  await openLab(page, ballast);
  const ending = (): Promise<unknown> =>
    page.evaluate(async () => {
      const id = localStorage.getItem('ballast.session.multi-stage-go') ?? '';
      return ((await (await fetch(`/api/sessions/${id}`)).json()) as { expiresAt?: unknown }).expiresAt;
    });
  const before = await ending();
  expect(before).toEqual(expect.any(String));
  await typeLine(page, 'export SURVIVOR=me; echo before > before.txt');
  await expect(page.getByTestId('file-before.txt')).toBeVisible();
  await typeLine(page, 'docker build -t greeter . && echo "$SURVIVOR" > survivor.txt');
  await expect(page.getByTestId('terminal')).toContainText('RUN go build');
  await ballast.restart('SIGKILL');
  await terminalReady(page);
  expect(await ending()).toBe(before);
  // The same shell goes on with what comes after the build: had that been lost, there would be no such file.
  await expect(page.getByTestId('image-greeter:latest')).toBeVisible({ timeout: buildMs });
  await page.getByTestId('file-survivor.txt').click();
  await expect(page.getByTestId('editor')).toContainText('me');
  await expect(page.getByTestId('file-before.txt')).toBeVisible();
});

test('on a phone, lesson, files, terminal and checks are tabs', async ({ page, ballast }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${ballast.url}/lessons/multi-stage-builds/`);
  for (const name of ['Files', 'Terminal', 'Checks', 'Lesson']) {
    await page.getByRole('tab', { name, exact: true }).click();
    await expect(page.getByRole('tab', { name, exact: true })).toHaveAttribute('aria-selected', 'true');
  }
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(390);
});
