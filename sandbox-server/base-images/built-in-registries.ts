import { z } from 'zod';
import type { Seeder } from './seeder.ts';

/** Package clients, by the names of their programs. */
export const packageClients = ['go', 'pip', 'npm', 'cargo', 'rustup', 'maven', 'apt'] as const;
export type PackageClient = (typeof packageClients)[number];

/** A registry that a client in a base image uses where nobody has configured another. */
export const builtInRegistry = z.object({ client: z.enum(packageClients), url: z.string() });
export type BuiltInRegistry = z.infer<typeof builtInRegistry>;

export const isUrl = (text: string): boolean => /^https?:\/\//.test(text);
const first = (match: RegExpExecArray | null): readonly string[] => (match?.[1] === undefined ? [] : [match[1]]);

/** How each client says which registries it uses. */
const readers: Readonly<Record<PackageClient, (said: string) => readonly string[]>> = {
  // "go env GOPROXY GOSUMDB": the second is "name", "name+key" or "name+key url"; a database is asked at its name.
  go: (said) => {
    const [proxy = '', sum = ''] = said.trim().split('\n');
    const [name = '', address] = sum.split(' ');
    const database = name === '' || name === 'off' ? [] : [address ?? `https://${name.split('+')[0] ?? ''}`];
    return [...proxy.split(/[,|]/).filter(isUrl), ...database];
  },
  // "pip install --help"
  pip: (said) => first(/--index-url <url>.*?\(default (https?:\/\/[^)]+)\)/.exec(said.replace(/\s+/g, ' '))),
  // "npm config get registry"
  npm: (said) => said.split('\n').filter(isUrl).slice(0, 1),
  // Cargo prints no setting of its index, but where it looked for one in vain.
  cargo: (said) => first(/failed to download from `(https?:[^`]+)`/.exec(said)),
  // So does rustup, of a list of toolchains; the variable for a mirror says what is before "/dist".
  rustup: (said) => first(/could not download file from '(https?:[^']+?)\/dist\/channel-/.exec(said)),
  // Likewise Maven, whose built-in repository stands in its super POM.
  maven: (said) => first(/Downloading from [^:]*: (https?:\S+?)\/org\/apache\/maven\//.exec(said)),
  // "apt-get indextargets --format '$(REPO_URI)|$(COMPONENT)'"
  apt: (said) =>
    said.split('\n').flatMap((line) => (line.endsWith('|main') ? [line.slice(0, -'|main'.length).trim()] : [])),
};

/** The registries in what a client has printed; none where it has printed something else, or nothing. */
export function registriesSaid(client: PackageClient, said: string | null): readonly string[] {
  return readers[client](said ?? '');
}

/** Where a base image has the client, and the script that makes it say; it runs without a network. */
const questions: readonly { readonly client: PackageClient; readonly ref: string; readonly script: string }[] = [
  { client: 'go', ref: 'golang:1.24', script: 'go env GOPROXY GOSUMDB' },
  { client: 'pip', ref: 'python:3.13-slim', script: 'pip install --help' },
  { client: 'npm', ref: 'node:20', script: 'npm config get registry' },
  {
    client: 'cargo',
    ref: 'rust:1.85-slim',
    script:
      'cargo init --quiet --vcs none --name question /tmp/question && cd /tmp/question && ' +
      `echo 'anything = "*"' >> Cargo.toml && CARGO_NET_RETRY=0 cargo fetch`,
  },
  {
    client: 'rustup',
    ref: 'rust:1.85-slim',
    script: 'RUSTUP_HOME=/tmp/question rustup toolchain install --profile minimal stable',
  },
  { client: 'maven', ref: 'maven:3-eclipse-temurin-21', script: 'mvn -B question:ask' },
  {
    client: 'apt',
    ref: 'debian:trixie-slim',
    // It has no lists of packages yet.
    script: `apt-get indextargets --no-release-info --format '$(REPO_URI)|$(COMPONENT)' 'Created-By: Packages'`,
  },
];

/**
 * Ask the package clients in the seeder's base images for the registries that they use by themselves: a machine without
 * a client of its own has no other answer.
 * @param refs images that the seeder's engine has
 * @param known what was asked before; it stays
 */
export async function askBaseImages(
  seeder: Seeder,
  refs: readonly string[],
  known: readonly BuiltInRegistry[],
): Promise<BuiltInRegistry[]> {
  const found = [...known];
  for (const { client, ref, script } of questions) {
    if (!refs.includes(ref) || known.some((registry) => registry.client === client)) continue;
    const asked = ['--rm', '--network=none', '--entrypoint=timeout', ref, '60', 'sh', '-c', `{ ${script}; } 2>&1`];
    const { stdout } = await seeder.try(['/usr/bin/docker', 'run', ...asked]);
    found.push(...[...new Set(registriesSaid(client, stdout))].map((url) => ({ client, url })));
  }
  return found;
}
