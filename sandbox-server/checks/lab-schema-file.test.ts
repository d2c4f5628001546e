import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { editorSchema } from '../labs/editor-schema.ts';
import { loadLabs } from '../labs/index.ts';
import { withKindsTable } from './kinds-table.ts';
import { checkKinds } from './kinds/index.ts';

const labsDir = fileURLToPath(new URL('../../labs', import.meta.url));

it('is up to date: else run npm run lab-schema', async () => {
  expect(await readFile(join(labsDir, 'lab.schema.json'), 'utf8')).toBe(editorSchema(checkKinds()));
});

it('stands as a table in CONTRIBUTING.md, up to date: else run npm run lab-schema', async () => {
  const file = fileURLToPath(new URL('../../CONTRIBUTING.md', import.meta.url));
  const text = await readFile(file, 'utf8');
  expect(text).toBe(withKindsTable(text, checkKinds()));
  for (const name of checkKinds().keys()) expect(text).toContain(`| \`${name}\` |`);
});

it('is named in the first line of every lab, and every lab loads', async () => {
  const labs = await loadLabs(labsDir, checkKinds());
  expect(labs.size).toBeGreaterThan(0);
  for (const lab of labs.values()) {
    const text = await readFile(join(lab.dir, 'lab.yaml'), 'utf8');
    expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=../lab.schema.json');
    expect(lab.wrongCases.length).toBeGreaterThanOrEqual(4);
  }
});
