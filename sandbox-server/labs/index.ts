export { loadLabs } from './load-labs.ts';
export type { CheckSchemas, Lab, LabCheck, WrongCase } from './lab-schema.ts';
export { formatBytes } from './quantities.ts';
