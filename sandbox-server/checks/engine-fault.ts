import type { BuildFailure } from './build-log.ts';

/** The client's own words, which stand first: it has nobody to ask. */
const lostEngine = 'Cannot connect to the Docker daemon at ';

/** What gRPC says of a connection that broke off while the engine worked; "Unavailable" is of the connection alone. */
const brokenOff =
  /^(?:failed to receive status: )?(?:(?:rpc error: code = )?Unavailable(?: desc = |: ).*)?(?:error reading from server|closed unexpectedly|transport is closing)/;

/** A call that the kernel refused, such as "write /x: no space left on device", with nothing after it. */
const diskFull = ': no space left on device';

/** Messages about the Dockerfile and what it names, which quote it: whatever else stands in them is its author's word. */
const aboutTheDockerfile =
  /^(?:dockerfile parse error|failed to process|failed to parse|target stage |invalid )|failed to resolve source metadata|: not found$/;

/**
 * Failures that no Dockerfile causes: the engine itself is in trouble. BuildKit's messages quote names and words of the
 * Dockerfile, so that a phrase somewhere in them tells nothing.
 */
export function isEngineFault({ exitCode, error }: Pick<BuildFailure, 'exitCode' | 'error'>): boolean {
  if (exitCode !== null || aboutTheDockerfile.test(error)) return false;
  return error.startsWith(lostEngine) || brokenOff.test(error) || error.endsWith(diskFull);
}
