import type { Engine } from '../engines/engine.ts';

/**
 * Tie a sandbox's life to this process: when the connection to it breaks (this process was killed), its programs end and
 * it stops by itself. Whoever comes next finds it stopped, and removes it.
 */
export async function holdLease(engine: Engine, id: string): Promise<void> {
  const exec = await engine.exec(id, { argv: ['/bin/sh', '-c', 'cat > /dev/null; kill -TERM -1'] });
  exec.stdout.resume();
  exec.stderr.resume();
}
