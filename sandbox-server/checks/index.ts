export type { Verdict } from './check-kind.ts';
export type { SandboxShell } from './sandbox-shell.ts';
export { checkKinds } from './kinds/index.ts';
export { judgingImages } from './own-images.ts';
export { runChecks } from './runner.ts';
export type { RunChecksOptions } from './runner.ts';
export { createSandboxImages } from './sandbox-images.ts';
