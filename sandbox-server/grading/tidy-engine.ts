import { dockerCli } from '../checks/docker-cli.ts';
import type { SandboxShell } from '../checks/index.ts';
import { BallastError } from '../protocol/index.ts';

/**
 * Makes a grading sandbox fit for the next set of files: what the last one left in its engine (containers, volumes,
 * images) goes, so that an image that cannot be built is not taken for there already. The build cache stays.
 * @returns what does it; the first time, it only notes which images are there.
 */
export function createTidier(shell: SandboxShell, signal: AbortSignal | undefined): () => Promise<void> {
  const docker = async (...argv: readonly string[]): Promise<string[]> => {
    const result = await shell.run([dockerCli, ...argv], signal === undefined ? {} : { signal });
    if (result.exitCode === 0) return result.stdout.split('\n').filter((line) => line !== '');
    throw new BallastError('engine_failed', { message: `docker ${argv[0] ?? ''}: ${result.stderr.trim()}` });
  };
  const images = (): Promise<string[]> =>
    docker('image', 'ls', '--all', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}');
  let given: ReadonlySet<string> | undefined;

  return async () => {
    if (given === undefined) {
      given = new Set(await images());
      return;
    }
    const containers = await docker('container', 'ls', '--all', '--quiet', '--no-trunc');
    if (containers.length > 0) await docker('container', 'rm', '--force', '--volumes', '--', ...containers);
    await docker('volume', 'prune', '--force');
    const known = given;
    const made = (await images()).filter((line) => !known.has(line)).map((line) => line.split(' '));
    const names = made.map(([name = '', id = '']) => (name.includes('<none>') ? id : name));
    if (names.length > 0) await docker('image', 'rm', '--force', '--', ...new Set(names));
  };
}
