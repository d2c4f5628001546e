export { loadLabs } from './load-labs.ts';
export type { Lab, LabCheck } from './lab-schema.ts';
