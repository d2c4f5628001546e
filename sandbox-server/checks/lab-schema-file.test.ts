import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { editorSchema } from '../labs/editor-schema.ts';
import { hostilePage } from '../images/hostile-page.ts';
import { loadLabs } from '../labs/index.ts';
import { kindPages } from './kind-pages.ts';
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
  for (const name of checkKinds().keys()) expect(text).toContain(`| [\`${name}\`](docs/checks/${name}.md) |`);
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

it('has a page on each kind in docs/checks, up to date: else run npm run lab-schema', async () => {
  const folder = fileURLToPath(new URL('../../docs/checks', import.meta.url));
  const pages = kindPages(checkKinds());
  expect((await readdir(folder)).toSorted()).toEqual([...pages.keys()].toSorted());
  for (const [name, text] of pages) expect(await readFile(join(folder, name), 'utf8'), name).toBe(text);
});

it('has a page on hostile archives that lists every test, up to date: else run npm run lab-schema', async () => {
  const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
  const hostile = await read('sandbox-server/images/hostile.test.ts');
  const reader = await read('sandbox-server/images/archive-image-reader.test.ts');
  const page = await read('docs/hostile-archives.md');
  expect(page).toBe(hostilePage({ hostile, reader }));
  for (const [, title = ''] of hostile.matchAll(/^it\('([^']+)'/gm)) expect(page).toContain(`- ${title}\n`);
});

it.each([...checkKinds().values()])(
  '$name: the example on its page is valid, and every parameter is described',
  (kind) => {
    const parsed = kind.schema.safeParse(parse(kind.docs.example));
    expect(parsed.success ? '' : parsed.error.message).toBe('');
    const page = kindPages(new Map([[kind.name, kind]])).get(`${kind.name}.md`) ?? '';
    expect(page).not.toMatch(/\| {2}\|$/m);
  },
);
