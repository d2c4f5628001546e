import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { editorSchema } from '../labs/editor-schema.ts';
import { hostilePage } from '../images/hostile-page.ts';
import { kindPages } from './kind-pages.ts';
import { withKindsTable } from './kinds-table.ts';
import { checkKinds } from './kinds/index.ts';

// Run after a change to the schema of lab.yaml or to a kind's parameters: npm run lab-schema
// It writes the schema for editors, and for people the table of kinds, a page on each, and one on hostile archives.

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const kinds = checkKinds();
writeFileSync(file('labs/lab.schema.json'), editorSchema(kinds));
writeFileSync(file('CONTRIBUTING.md'), withKindsTable(readFileSync(file('CONTRIBUTING.md'), 'utf8'), kinds));

rmSync(file('docs/checks'), { recursive: true, force: true });
mkdirSync(file('docs/checks'), { recursive: true });
for (const [name, text] of kindPages(kinds)) writeFileSync(file(`docs/checks/${name}`), text);

const tests = (name: string): string => readFileSync(file(`sandbox-server/images/${name}.test.ts`), 'utf8');
writeFileSync(
  file('docs/hostile-archives.md'),
  hostilePage({ hostile: tests('hostile'), reader: tests('archive-image-reader') }),
);
