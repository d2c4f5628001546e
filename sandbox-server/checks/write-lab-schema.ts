import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { editorSchema } from '../labs/editor-schema.ts';
import { checkKinds } from './kinds/index.ts';

// Run after a change to the schema of lab.yaml or to a kind's parameters: node sandbox-server/checks/write-lab-schema.ts

const file = fileURLToPath(new URL('../../labs/lab.schema.json', import.meta.url));
writeFileSync(file, editorSchema(checkKinds()));
