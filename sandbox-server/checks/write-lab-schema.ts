import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { editorSchema } from '../labs/editor-schema.ts';
import { withKindsTable } from './kinds-table.ts';
import { checkKinds } from './kinds/index.ts';

// Run after a change to the schema of lab.yaml or to a kind's parameters: npm run lab-schema
// It writes the schema for editors, and the table of kinds for people.

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const kinds = checkKinds();
writeFileSync(file('labs/lab.schema.json'), editorSchema(kinds));
writeFileSync(file('CONTRIBUTING.md'), withKindsTable(readFileSync(file('CONTRIBUTING.md'), 'utf8'), kinds));
