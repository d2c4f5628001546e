import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { RegistryCredentials } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import type { PullSource } from './pull-source.ts';

/** The name that docker's own configuration has for its registry. */
const dockerHubKey = 'https://index.docker.io/v1/';

const dockerConfigShape = z.object({
  auths: z
    .record(z.string(), z.object({ auth: z.string().optional(), registrytoken: z.string().optional() }))
    .default({}),
});

async function readSecret(file: string, registry: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new BallastError('config_invalid', {
      message: `registries.${registry}.auth: cannot read ${file}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown'}.`,
      cause,
    });
  }
  // A line break would end the line of the configuration that a secret is handed over in.
  if (text === '' || /\p{Cc}/u.test(text.replaceAll(/\s/g, ' ')))
    throw new BallastError('config_invalid', { message: `registries.${registry}.auth: ${file} holds no secret.` });
  return text;
}

function fromDockerConfig(text: string, file: string, { host, registry }: PullSource): RegistryCredentials {
  const invalid = (what: string): BallastError =>
    new BallastError('config_invalid', {
      message: `registries.${registry}.auth: ${file} ${what}.`,
      hint: `Log in with "docker login ${host}" where no credential helper is set up, or name a passwordFile.`,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without the cause: a syntax error quotes the text, which holds secrets.
    throw invalid('is not JSON');
  }
  const config = dockerConfigShape.safeParse(value);
  if (!config.success) throw invalid('is not a docker config.json');
  const { auths } = config.data;
  const entry = auths[host] ?? auths[`https://${host}`] ?? (host === 'docker.io' ? auths[dockerHubKey] : undefined);
  if (entry?.registrytoken !== undefined) return { registryToken: entry.registrytoken };
  const [username = '', ...password] = Buffer.from(entry?.auth ?? '', 'base64')
    .toString('utf8')
    .split(':');
  if (username === '' || password.length === 0) throw invalid(`has no credentials for ${host}`);
  return { username, password: password.join(':') };
}

/**
 * The credentials that the configuration names for a source; undefined where it names none.
 * @throws BallastError config_invalid; its message never holds a secret.
 */
export async function readCredentials(source: PullSource): Promise<RegistryCredentials | undefined> {
  const { auth, registry } = source;
  if (auth === undefined) return undefined;
  const file = auth.passwordFile ?? auth.tokenFile ?? auth.dockerConfig ?? '';
  const text = await readSecret(file, registry);
  if (auth.dockerConfig !== undefined) return fromDockerConfig(text, file, source);
  return auth.tokenFile === undefined ? { username: auth.username ?? '', password: text } : { registryToken: text };
}

/** A docker config.json with the credentials of one registry, for a client that pulls from it. */
export function dockerConfig(source: PullSource, credentials: RegistryCredentials): string {
  const entry =
    'registryToken' in credentials
      ? { registrytoken: credentials.registryToken }
      : { auth: Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64') };
  return JSON.stringify({ auths: { [source.host === 'docker.io' ? dockerHubKey : source.host]: entry } });
}
