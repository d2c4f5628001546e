import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isUrl, registriesSaid, type BuiltInRegistry, type PackageClient } from '../base-images/built-in-registries.ts';
import type { Alias, AllowedRegistry, IndexKind } from './allow-list.ts';
import type { ClientSettings } from './gateway.ts';

const answerMs = 30_000;
/** Nothing listens there: a client that is asked to fetch something says where it would have gone. */
const nowhere = { host: '127.0.0.1', port: 1 } as const;
const nowhereUrl = `http://${nowhere.host}:${String(nowhere.port)}`;

type Environment = Readonly<Record<string, string | undefined>>;

/** What one client says: which registries it uses, and what must be said to others for them to use the same. */
interface Said {
  readonly urls: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

interface Asking {
  /** All that a program prints; null when it is not there or prints nothing in time. Its exit code does not matter. */
  readonly ask: (program: string, args: readonly string[], environment?: Environment) => Promise<string | null>;
  /** Empty folder. */
  readonly folder: string;
  readonly environment: Environment;
}

const trimmed = (text: string | null): string => text?.trim() ?? '';

/** The same environment without what begins so, in small letters. */
function without(environment: Environment, prefix: string): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.toLowerCase().startsWith(prefix)));
}

/** An address without a password in it: those stay with the server. */
function bare(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.username === '' && url.password === '')) return text;
  url.username = '';
  url.password = '';
  return url.href;
}

async function askGo({ ask, environment }: Asking): Promise<Said> {
  const read = async (env: Environment): Promise<string> =>
    trimmed(await ask('go', ['env', 'GOPROXY', 'GOSUMDB'], env));
  const said = await read(environment);
  const [proxy = '', sum = ''] = said.split('\n');
  const usual = await read({ ...without(environment, 'go'), GOENV: 'off' });
  const [usualProxy = '', usualSum = ''] = usual.split('\n');
  return {
    urls: registriesSaid('go', said),
    environment: {
      ...(proxy === usualProxy
        ? {}
        : {
            GOPROXY: proxy
              .split(/(?<=[,|])/)
              .map((part) => bare(part))
              .join(''),
          }),
      ...(sum === usualSum ? {} : { GOSUMDB: sum }),
    },
  };
}

async function askPip({ ask, environment }: Asking): Promise<Said> {
  const [usual = ''] = registriesSaid('pip', await ask('pip', ['install', '--help'], environment));
  const configured = trimmed(await ask('pip', ['config', 'list'], environment));
  const value = (key: string): readonly string[] =>
    new RegExp(String.raw`^[^=\n]*\.${key}='(.*)'$`, 'm')
      .exec(configured)?.[1]
      ?.split(/\\n|\s+/)
      .filter(isUrl) ?? [];
  const [own] = value('index-url');
  const extra = value('extra-index-url');
  return {
    urls: [own ?? usual, ...extra],
    environment: {
      ...(own === undefined ? {} : { PIP_INDEX_URL: bare(own) }),
      ...(extra.length === 0 ? {} : { PIP_EXTRA_INDEX_URL: extra.map(bare).join(' ') }),
    },
  };
}

async function askNpm({ ask, folder, environment }: Asking): Promise<Said> {
  const read = async (args: readonly string[], env: Environment): Promise<string> =>
    registriesSaid('npm', await ask('npm', ['config', 'get', 'registry', ...args], env))[0] ?? '';
  const registry = await read([], environment);
  // It refuses to read the same file as both.
  const [user, global] = [join(folder, 'user.npmrc'), join(folder, 'global.npmrc')] as const;
  await Promise.all([user, global].map((file) => writeFile(file, '')));
  const usual = await read([`--userconfig=${user}`, `--globalconfig=${global}`], without(environment, 'npm_config_'));
  return { urls: [registry], environment: registry === usual ? {} : { npm_config_registry: bare(registry) } };
}

/** Cargo knows no variable for a mirror. */
async function askCargo({ ask, folder, environment }: Asking): Promise<Said & { readonly aliases: readonly Alias[] }> {
  const project = join(folder, 'cargo');
  await mkdir(join(project, 'src'), { recursive: true });
  const manifest =
    '[package]\nname = "question"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nanything = "*"\n';
  await writeFile(join(project, 'Cargo.toml'), manifest);
  await writeFile(join(project, 'src', 'lib.rs'), '');
  const read = async (env: Environment): Promise<string | undefined> => {
    const said = await ask('cargo', ['fetch', '--manifest-path', join(project, 'Cargo.toml')], {
      ...env,
      CARGO_HTTP_PROXY: nowhereUrl,
      CARGO_NET_RETRY: '0',
    });
    return registriesSaid('cargo', said)[0];
  };
  const used = await read(environment);
  if (used === undefined) return { urls: [], aliases: [] };
  const home = join(folder, 'cargo-home');
  await mkdir(home);
  const usual = await read({ ...without(environment, 'cargo_'), CARGO_HOME: home });
  const first = 'config.json';
  const differs = usual !== undefined && usual !== used && usual.endsWith(first) && used.endsWith(first);
  const index = (address: string): string => address.slice(0, -first.length);
  return { urls: [used], aliases: differs ? [{ from: index(usual), to: bare(index(used)) }] : [] };
}

/** Of a home of its own, which has no toolchain yet. */
async function askRustup({ ask, folder, environment }: Asking): Promise<Said> {
  // Whatever the machine's own proxy would be, and for which hosts: this asks none.
  const offline: Environment = {
    ...Object.fromEntries(Object.entries(environment).filter(([name]) => !/_proxy$/i.test(name))),
    ...Object.fromEntries(['http_proxy', 'https_proxy'].map((name) => [name, nowhereUrl])),
    RUSTUP_HOME: join(folder, 'rustup-home'),
    RUSTUP_MAX_RETRIES: '0',
  };
  const read = async (env: Environment): Promise<string | undefined> => {
    const said = await ask('rustup', ['toolchain', 'install', '--profile', 'minimal', 'stable'], env);
    return registriesSaid('rustup', said)[0];
  };
  const used = await read(offline);
  if (used === undefined) return { urls: [] };
  const usual = await read({ ...offline, RUSTUP_DIST_SERVER: undefined });
  return { urls: [used], environment: used === usual ? {} : { RUSTUP_DIST_SERVER: bare(used) } };
}

async function askMaven(asking: Asking): Promise<Said & { readonly mirror: string | null }> {
  const { ask, folder, environment } = asking;
  const proxies = ['http', 'https'].map(
    (protocol) =>
      `<proxy><id>${protocol}</id><active>true</active><protocol>${protocol}</protocol>` +
      `<host>${nowhere.host}</host><port>${String(nowhere.port)}</port></proxy>`,
  );
  const global = join(folder, 'global.xml');
  const empty = join(folder, 'empty.xml');
  await writeFile(global, `<settings><proxies>${proxies.join('')}</proxies></settings>`);
  await writeFile(empty, '<settings/>');
  const read = async (args: readonly string[]): Promise<string | null> => {
    const repository = `-Dmaven.repo.local=${await mkdtemp(join(folder, 'maven-'))}`;
    const said = await ask('mvn', ['-B', '-gs', global, repository, ...args, 'question:ask'], environment);
    return registriesSaid('maven', said)[0] ?? null;
  };
  const used = await read([]);
  if (used === null) return { urls: [], mirror: null };
  const usual = await read(['-s', empty]);
  return { urls: [used], mirror: used === usual ? null : bare(used) };
}

async function askApt({ ask, environment }: Asking): Promise<Said & { readonly oldReleases: boolean }> {
  const args = ['indextargets', '--format', '$(REPO_URI)|$(COMPONENT)', 'Created-By: Packages'];
  const urls = registriesSaid('apt', await ask('apt-get', args, environment));
  const dates = await ask('apt-config', ['shell', 'valid', 'Acquire::Check-Valid-Until/b'], environment);
  return { urls, oldReleases: dates?.includes("valid='false'") === true };
}

const indexes: Readonly<Partial<Record<PackageClient, IndexKind>>> = { pip: 'pypi', npm: 'npm', cargo: 'cargo' };

function registryOf(from: PackageClient, text: string): readonly AllowedRegistry[] {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return [];
  const { username, password, port, hostname } = url;
  const secret = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = secret === ':' ? null : `Basic ${Buffer.from(secret).toString('base64')}`;
  return [
    {
      host: hostname,
      port: port === '' ? null : Number(port),
      index: indexes[from] ?? null,
      reach: 'machine',
      from,
      authorization,
    },
  ];
}

/** Each host once, with the first word on it. */
function distinct(registries: readonly AllowedRegistry[]): readonly AllowedRegistry[] {
  const seen = new Map<string, AllowedRegistry>();
  for (const registry of registries) {
    const key = `${registry.host}:${String(registry.port)}`;
    const known = seen.get(key);
    seen.set(key, known === undefined ? registry : { ...known, index: known.index ?? registry.index });
  }
  return [...seen.values()];
}

/**
 * Asks this machine's package clients (go, pip, npm, cargo, rustup, Maven, apt) which registries they use, as configured
 * or by their own default. A client that is not there says nothing.
 */
export async function askPackageClients(environment: Environment = process.env): Promise<ClientSettings> {
  const folder = await mkdtemp(join(tmpdir(), 'ballast-clients-'));
  const ask: Asking['ask'] = (program, args, env) =>
    new Promise((resolve) => {
      const options = { cwd: folder, env: { ...env, NO_COLOR: '1' }, timeout: answerMs, maxBuffer: 4 * 1024 ** 2 };
      execFile(program, [...args], options, (error, stdout, stderr) => {
        resolve((error as NodeJS.ErrnoException | null)?.code === 'ENOENT' ? null : `${stdout}\n${stderr}`);
      });
    });
  const asking: Asking = { ask, folder, environment };
  try {
    const [go, pip, npm, cargo, rustup, maven, apt] = await Promise.all([
      askGo(asking),
      askPip(asking),
      askNpm(asking),
      askCargo(asking),
      askRustup(asking),
      askMaven(asking),
      askApt(asking),
    ]);
    const named = (from: PackageClient, { urls }: Said): readonly AllowedRegistry[] =>
      urls.flatMap((url) => registryOf(from, url));
    return {
      registries: distinct([
        ...named('go', go),
        ...named('pip', pip),
        ...named('npm', npm),
        ...named('cargo', cargo),
        ...named('rustup', rustup),
        ...named('maven', maven),
        ...named('apt', apt),
      ]),
      aliases: cargo.aliases,
      environment: { ...go.environment, ...pip.environment, ...npm.environment, ...rustup.environment },
      mavenMirror: maven.mirror,
      oldReleases: apt.oldReleases,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The registries of clients that this machine does not have, as those of the base images use them; apt's also where it
 * has one, which may be another distribution's.
 */
export function registriesOfImages(
  builtIn: readonly BuiltInRegistry[],
  machine: readonly AllowedRegistry[],
): readonly AllowedRegistry[] {
  const lacks = ({ client }: BuiltInRegistry): boolean =>
    client === 'apt' || !machine.some(({ from }) => from === client);
  return distinct(builtIn.filter(lacks).flatMap(({ client, url }) => registryOf(client, url)));
}
