import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

/** `ballast bench`: measure this machine. A program of its own, among the tests: nothing here takes anything from them. */
export async function bench(options: { readonly quick?: boolean; readonly out?: string }): Promise<void> {
  const args = [...(options.quick === true ? ['--quick'] : []), ...(options.out ? ['--out', options.out] : [])];
  const child = spawn(process.execPath, [join(projectRoot, 'tests/bench/main.ts'), ...args], { stdio: 'inherit' });
  // A terminal's Ctrl-C reaches it by itself; it clears up, and we end with it.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
}
