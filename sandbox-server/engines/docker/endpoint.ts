import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { BallastError } from '../../protocol/index.ts';

/** Where an engine may be, and who said so. */
export interface Endpoint {
  /** "DOCKER_HOST", "docker context work", "default socket", "rootless socket". */
  readonly source: string;
  /** Named by the user: if it does not answer, no other is tried. */
  readonly explicit: boolean;
  readonly address:
    | { readonly kind: 'unix'; readonly path: string }
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls: TlsFiles | null };
}

interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const dockerConfig = z.object({ currentContext: z.string().optional() });
const contextMeta = z.object({ Endpoints: z.object({ docker: z.object({ Host: z.string() }).optional() }) });

function readJson<Value>(file: string, schema: z.ZodType<Value>): Value | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new BallastError('engine_missing', {
      message: `${file} cannot be understood.`,
      hint: 'Repair it, or set DOCKER_HOST.',
      cause,
    });
  }
}

/**
 * Read an address as DOCKER_HOST and contexts spell it.
 * @param certDir folder with ca.pem, cert.pem and key.pem, or null for plain TCP.
 * @throws BallastError engine_missing for an address of a kind that is not supported.
 */
export function parseAddress(text: string, certDir: string | null): Endpoint['address'] {
  if (text.startsWith('unix://')) return { kind: 'unix', path: text.slice('unix://'.length) };
  if (text.startsWith('/')) return { kind: 'unix', path: text };
  const url = URL.parse(text.includes('://') ? text : `tcp://${text}`);
  if (url === null || !['tcp:', 'http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw new BallastError('engine_missing', {
      message: `The engine address "${text}" is not supported.`,
      hint: 'Use unix:///path/to/docker.sock or tcp://host:port. For ssh, forward the socket with "ssh -L".',
    });
  }
  const tls = certDir !== null || url.protocol === 'https:';
  const pem = (name: string): string => join(certDir ?? '', name);
  return {
    kind: 'tcp',
    // An IPv6 host comes in brackets, which a socket does not want.
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (tls ? 2376 : 2375) : Number(url.port),
    tls: tls && certDir !== null ? { ca: pem('ca.pem'), cert: pem('cert.pem'), key: pem('key.pem') } : null,
  };
}

function currentContext(environment: Environment, configDir: string): Endpoint | null {
  const name = environment['DOCKER_CONTEXT'] ?? readJson(join(configDir, 'config.json'), dockerConfig)?.currentContext;
  if (name === undefined || name === '' || name === 'default') return null;
  const digest = createHash('sha256').update(name).digest('hex');
  const meta = readJson(join(configDir, 'contexts', 'meta', digest, 'meta.json'), contextMeta);
  const host = meta?.Endpoints.docker?.Host;
  if (host === undefined) {
    throw new BallastError('engine_missing', {
      message: `The docker context "${name}" is not defined.`,
      hint: 'Choose another with "docker context use".',
    });
  }
  const tlsDir = join(configDir, 'contexts', 'tls', digest, 'docker');
  const hasTls = /^(tcp|https):/.test(host) && readText(join(tlsDir, 'ca.pem')) !== null;
  return { source: `docker context ${name}`, explicit: true, address: parseAddress(host, hasTls ? tlsDir : null) };
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/**
 * Where to look for an engine, first to last: DOCKER_HOST, the current docker context, the default sockets.
 * @throws BallastError engine_missing when what the user named cannot be understood.
 */
export function findEndpoints(environment: Environment): readonly Endpoint[] {
  const home = environment['HOME'] ?? homedir();
  const configDir = environment['DOCKER_CONFIG'] ?? join(home, '.docker');
  const dockerHost = environment['DOCKER_HOST'];
  if (dockerHost !== undefined && dockerHost !== '') {
    const verify = environment['DOCKER_TLS_VERIFY'] ?? '';
    const certDir = verify === '' ? null : (environment['DOCKER_CERT_PATH'] ?? configDir);
    return [{ source: 'DOCKER_HOST', explicit: true, address: parseAddress(dockerHost, certDir) }];
  }
  const context = currentContext(environment, configDir);
  if (context !== null) return [context];

  const runtimeDir = environment['XDG_RUNTIME_DIR'];
  const sockets: readonly (readonly [string, string])[] = [
    ['default socket', '/var/run/docker.sock'],
    ...(runtimeDir === undefined ? [] : [['rootless socket', join(runtimeDir, 'docker.sock')] as const]),
    ['Docker Desktop socket', join(home, '.docker', 'run', 'docker.sock')],
    ['Docker Desktop socket', join(home, '.docker', 'desktop', 'docker.sock')],
  ];
  return sockets.map(([source, path]) => ({ source, explicit: false, address: { kind: 'unix', path } }));
}

/** How an endpoint is shown to people. */
export function describeEndpoint({ source, address }: Endpoint): string {
  const where = address.kind === 'unix' ? address.path : `${address.host}:${String(address.port)}`;
  return `${where} (${source})`;
}
