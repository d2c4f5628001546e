import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** What a server could leave behind, counted. */
export interface Belongings {
  readonly containers: number;
  readonly volumes: number;
  readonly networks: number;
  /** Processes in the containers of this server, as the host sees them. */
  readonly processes: number;
  /** Entries of the server's home folder. */
  readonly homeFiles: number;
  /** Entries of the folder for temporary files: tests give themselves one that no other process uses. */
  readonly temporaryFiles: number;
  /** Descriptors that this process has open. */
  readonly descriptors: number;
}

const docker = (...args: string[]): string[] =>
  execFileSync('docker', args, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '');

/** Ids of all containers that a process is in, by its control group. */
function containersOfProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [...new Set(/[0-9a-f]{64}/.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8')))];
      } catch {
        // It has ended.
        return [];
      }
    });
}

/**
 * Counts what there is of one server, by its label.
 * @param known ids of containers that have been its own: their processes count even when the container has gone
 */
export function countBelongings(
  server: { readonly hostId: string; readonly home: string },
  known: Set<string>,
): Belongings {
  const label = `label=ballast.host=${server.hostId}`;
  const containers = docker('ps', '--all', '--quiet', '--no-trunc', '--filter', label);
  for (const id of containers) known.add(id);
  return {
    containers: containers.length,
    volumes: docker('volume', 'ls', '--quiet', '--filter', label).length,
    networks: docker('network', 'ls', '--quiet', '--filter', label).length,
    processes: containersOfProcesses().filter((id) => known.has(id)).length,
    homeFiles: readdirSync(server.home, { recursive: true }).length,
    temporaryFiles: readdirSync(tmpdir()).length,
    descriptors: readdirSync('/proc/self/fd').length,
  };
}
