import { readFile } from 'node:fs/promises';
import Docker from 'dockerode';
import { BallastError } from '../../protocol/index.ts';
import type { Engine } from '../engine.ts';
import { DockerEngine } from './docker-engine.ts';
import { describeEndpoint, findEndpoints, type Endpoint, type Environment } from './endpoint.ts';
import { toBallastError } from './errors.ts';

const seccompFile = new URL('../../sandbox-image/seccomp.json', import.meta.url);
/** The oldest engine that Ballast is tested with; older ones lack what the sandbox needs. */
const minimumVersion = [20, 10] as const;
const pingTimeoutMs = 5000;

async function clientFor({ address }: Endpoint): Promise<Docker> {
  // docker-modem mixes DOCKER_HOST of the process into what it is not told, so every key is told.
  const none = {
    host: undefined,
    port: undefined,
    socketPath: undefined,
    ca: undefined,
    cert: undefined,
    key: undefined,
  };
  if (address.kind === 'unix') return new Docker({ ...none, socketPath: address.path, protocol: 'http' });
  const { host, port, tls } = address;
  if (tls === null) return new Docker({ ...none, host, port, protocol: 'http' });
  const [ca, cert, key] = await Promise.all([readFile(tls.ca), readFile(tls.cert), readFile(tls.key)]);
  return new Docker({ ...none, host, port, protocol: 'https', ca, cert, key });
}

/** Whether a version such as "20.10.24+dfsg1" or "28.2" is new enough. */
export function isSupportedVersion(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  // Builds of the development branch have no number ("dev", "library-import"): they are newer than any release.
  if (Number.isNaN(major)) return true;
  return major > minimumVersion[0] || (major === minimumVersion[0] && minor >= minimumVersion[1]);
}

async function tryEndpoint(endpoint: Endpoint): Promise<Engine> {
  const where = describeEndpoint(endpoint);
  let version: string;
  let docker: Docker;
  try {
    docker = await clientFor(endpoint);
    const signal = AbortSignal.timeout(pingTimeoutMs);
    const answer = await (docker.version as (options: { abortSignal: AbortSignal }) => Promise<{ Version: string }>)({
      abortSignal: signal,
    });
    version = answer.Version;
  } catch (cause) {
    const error = toBallastError(cause, `reach the Docker Engine at ${where}`);
    // Whatever else went wrong on the first word, nothing usable is there.
    const code = error.code === 'engine_denied' ? 'engine_denied' : 'engine_missing';
    throw new BallastError(code, { message: error.message, cause });
  }
  if (!isSupportedVersion(version)) {
    throw new BallastError('engine_too_old', {
      message: `The Docker Engine at ${where} is version ${version}; 20.10 is the oldest that works.`,
    });
  }
  return new DockerEngine(docker, { seccompProfile: await readFile(seccompFile, 'utf8'), endpoint: where });
}

/**
 * Find and connect to a Docker Engine: DOCKER_HOST, then the current docker context, then the default sockets.
 * @throws BallastError engine_missing, engine_denied or engine_too_old, saying where it looked.
 */
export async function connectDocker(environment: Environment = process.env): Promise<Engine> {
  const failures: BallastError[] = [];
  for (const endpoint of findEndpoints(environment)) {
    try {
      return await tryEndpoint(endpoint);
    } catch (cause) {
      const error = toBallastError(cause, `reach the Docker Engine at ${describeEndpoint(endpoint)}`);
      if (endpoint.explicit || error.code === 'engine_too_old') throw error;
      failures.push(error);
    }
  }
  // An engine that is there but closed to us says more than the sockets that do not exist.
  const telling = failures.find(({ code }) => code === 'engine_denied') ?? failures[0];
  throw telling ?? new BallastError('engine_missing');
}
