import { expect, openLab, test } from '../helpers/e2e.ts';

test('what is typed while another file is being read goes into neither', async ({ page, ballast }) => {
  await openLab(page, ballast);
  const editor = page.getByTestId('editor');
  await expect(editor).toContainText('FROM golang:1.24');
  const answer = Promise.withResolvers<null>();
  await page.route('**/files/go.mod', async (route) => {
    await answer.promise;
    await route.continue();
  });
  await page.getByTestId('file-go.mod').click();
  const box = await editor.boundingBox();
  if (box === null) throw new Error('The editor is not on the screen.');
  // Not by the locator's own click, which would wait until the editor takes clicks.
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await page.keyboard.type('too soon');
  answer.resolve(null);
  await expect(editor).toContainText('module');
  await expect(editor).not.toContainText('too soon');
  await page.getByTestId('file-Dockerfile').click();
  await expect(editor).toContainText('FROM golang:1.24');
  await expect(editor).not.toContainText('too soon');
});
