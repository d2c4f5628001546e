import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogue } from '../../sandbox-server/base-images/catalogue.ts';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import type { RunResult, SandboxShell } from '../../sandbox-server/checks/sandbox-shell.ts';
import type { StoredImage } from '../../sandbox-server/base-images/manifest.ts';
import { loadConfig } from '../../sandbox-server/config.ts';
import { startSandbox } from '../../sandbox-server/sessions/start-sandbox.ts';
import { prepareStore } from '../../sandbox-server/setup/prepare-store.ts';
import { openSandbox } from '../helpers/clean-room.ts';
import { prepareBase, type Base } from '../helpers/server.ts';

const host = `images-test-${randomBytes(4).toString('hex')}`;
const refs = catalogue.map(({ ref }) => ref);
const distroless = refs.filter((ref) => ref.startsWith('gcr.io/distroless/'));

let base: Base;
let shell: SandboxShell;

/** A program in a container of the image, in a sandbox that has no network. */
async function run(ref: string, argv: readonly string[], entrypoint?: string): Promise<RunResult> {
  const entry = entrypoint === undefined ? [] : [`--entrypoint=${entrypoint}`];
  return shell.run(['/usr/bin/docker', 'run', '--rm', '--network=none', ...entry, ref, ...argv], {
    cwd: '/home/learner',
    timeoutMs: 120_000,
  });
}

interface ImageConfig {
  readonly Entrypoint: readonly string[] | null;
  readonly Cmd: readonly string[] | null;
  readonly Env: readonly string[];
  readonly User: string;
  readonly WorkingDir: string;
}

async function configOf(ref: string): Promise<ImageConfig> {
  const { stdout } = await shell.run(['/usr/bin/docker', 'image', 'inspect', '--format', '{{json .Config}}', ref], {
    cwd: '/home/learner',
    timeoutMs: 30_000,
  });
  return JSON.parse(stdout) as ImageConfig;
}

beforeAll(async () => {
  base = await prepareBase(loadConfig().home, refs);
  const { id } = await startSandbox(
    base.engine,
    {
      session: randomBytes(10).toString('hex'),
      kind: 'sandbox',
      host,
      image: base.prepared.image,
      storeVolume: base.prepared.store.volume,
      limits: { memoryBytes: 2 * 1024 ** 3, cpus: 2, pids: 1024 },
      network: 'none',
      hostname: 'sandbox',
      env: {},
    },
    { timeoutMs: 60_000 },
  );
  shell = createEngineShell(base.engine, id);
}, 1_800_000);

afterAll(async () => {
  for (const left of await base.engine.listSandboxes({ 'ballast.host': host }))
    await base.engine.removeSandbox(left.id);
  for (const volume of await base.engine.listVolumes({ 'ballast.host': host })) await base.engine.removeVolume(volume);
});

describe('the store with all tracks', () => {
  it('has every image of the catalogue, and a second set-up obtains none', async () => {
    expect(base.prepared.store.images.map(({ ref }) => ref)).toEqual(expect.arrayContaining(refs));
    const again = await prepareStore(base.engine, {
      image: base.prepared.image,
      refs,
      host: 'tests',
      config: base.config,
      progress: () => undefined,
    });
    expect(again.obtained).toEqual([]);
    expect(again.volume).toBe(base.prepared.store.volume);
  });
});

describe('an equivalent that is built again', () => {
  const again = ['debian:trixie-slim', 'python:3.13-slim', 'gcr.io/distroless/cc-debian13:debug', 'busybox:latest'];
  const digests = (images: readonly Pick<StoredImage, 'ref' | 'digest'>[]): Record<string, string> =>
    Object.fromEntries(again.map((ref) => [ref, images.find((image) => image.ref === ref)?.digest ?? '']));

  /** Of the package mirror, when the images were made: what is newer got its date. */
  const mirrorDate = async (inSandbox: SandboxShell): Promise<string> => {
    const argv = ['run', '--rm', '--network=none', 'python:3.13-slim', 'stat', '--format=%Y', '/var/lib/dpkg/status'];
    return (await inSandbox.run(['/usr/bin/docker', ...argv])).stdout.trim();
  };

  it('is the same image', async (context) => {
    const known = base.prepared.store.images;
    if (known.some(({ ref, origin }) => again.includes(ref) && origin === 'official'))
      context.skip('the images of the store come from a registry');
    // Another setting is another store, of the same recipes.
    const policy = base.config.images === 'build' ? 'auto' : 'build';
    const made = await prepareStore(base.engine, {
      image: base.prepared.image,
      refs: again,
      host,
      config: { ...base.config, images: policy },
      progress: () => undefined,
    });
    expect(made.volume).not.toBe(base.prepared.store.volume);
    const opened = await openSandbox(base, host, made.volume);
    const dates = [await mirrorDate(shell), await mirrorDate(opened.shell)];
    await base.engine.removeSandbox(opened.id);
    await base.engine.removeVolume(made.volume);
    expect(dates[0]).toMatch(/^\d+$/);
    if (dates[0] !== dates[1]) context.skip('the package mirror has other packages than when the store was made');
    expect(digests(made.images)).toEqual(digests(known));
  });
});

describe('tools of the language images', () => {
  const printing: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['python:3.13', ['pip', '--version'], /^pip \d+.* from \/usr\/local\/lib\/python3\.13\/site-packages\/pip/],
    ['python:3.13-slim', ['python', '-c', 'import sys, ssl, sqlite3, ctypes; print(sys.prefix)'], /^\/usr\/local$/m],
    ['node:20', ['npm', '--version'], /^\d+\.\d+\.\d+$/m],
    ['node:20-slim', ['node', '-p', 'process.version'], /^v20\./],
    ['golang:1.24', ['go', 'version'], /^go version go1\.24/],
    [
      'golang:1.24',
      ['sh', '-c', 'mkdir x && cd x && go mod init x 2> /dev/null && go mod download && echo done'],
      /^done$/m,
    ],
    ['golang:1.24', ['sh', '-c', 'git --version && gcc --version && make --version'], /^git version/],
    ['rust:1.85-slim', ['cargo', '--version'], /^cargo 1\.85/],
    ['rust:1.85-slim', ['rustup', 'show', 'active-toolchain'], /^1\.85\.\d+-\w+-unknown-linux-gnu \(default\)$/],
    ['rust:1.85', ['sh', '-c', 'rustup target list --installed && rustc --version'], /-linux-gnu\nrustc 1\.85/],
    ['eclipse-temurin:21-jre', ['sh', '-c', 'java -version 2>&1; echo $JAVA_HOME'], /"21\..*\/opt\/java\/openjdk$/ms],
    ['maven:3-eclipse-temurin-21', ['mvn', '--version'], /Apache Maven 3\..*Java version: 21/ms],
    ['debian:trixie', ['sh', '-c', 'ls /usr/share/man/man1 | head -1'], /\.gz$/m],
    ['busybox', ['sh', '-c', 'id -u'], /^0$/m],
  ];
  it.each(printing)('%s %j', async (ref, argv, expected) => {
    const { exitCode, stdout, stderr } = await run(ref, argv);
    expect(exitCode, stderr).toBe(0);
    expect(stdout.trim()).toMatch(expected);
  });

  it('link a Rust program and a Java run time that need nothing else', async () => {
    const rust =
      'cd /tmp && printf "fn main() { println!(\\"hello\\"); }" > a.rs && rustc -C target-feature=+crt-static a.rs && ./a && ldd a || true';
    expect((await run('rust:1.85-slim', ['sh', '-c', rust])).stdout).toContain('hello');
    const java =
      'jlink --add-modules java.base --strip-java-debug-attributes --output /tmp/j && /tmp/j/bin/java -version 2>&1';
    expect((await run('eclipse-temurin:21-jdk', ['sh', '-c', java])).stdout).toContain('"21.');
  });
});

describe('distroless images', () => {
  it.each(distroless)('%s keeps the contract of its tag', async (ref) => {
    const tag = ref.slice(ref.lastIndexOf(':') + 1);
    const { User, WorkingDir, Env } = await configOf(ref);
    const nonroot = tag.endsWith('nonroot');
    expect(User).toBe(nonroot ? '65532' : '0');
    expect(WorkingDir).toBe(nonroot ? '/home/nonroot' : '/');
    expect(Env).toContain('SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt');
    const debug = tag.startsWith('debug');
    expect(Env.join('\n').includes('/busybox')).toBe(debug);
    for (const path of ['/bin/sh', '/bin/bash', '/usr/bin/dpkg', '/usr/bin/apt-get'])
      expect((await run(ref, ['-c', 'true'], path)).exitCode, path).toBe(127);
    const shellOf = await run(ref, ['-c', 'ls /var/lib/dpkg/status.d/ && cat /etc/passwd'], '/busybox/sh');
    expect(shellOf.exitCode).toBe(debug ? 0 : 127);
    if (debug) {
      expect(shellOf.stdout).toMatch(/^ca-certificates$/m);
      expect(shellOf.stdout).toMatch(/^nonroot:x:65532:65532:nonroot:\/home\/nonroot:/m);
    }
  });

  it('run their language', async () => {
    const of = (name: string): string => `gcr.io/distroless/${name}-debian13:nonroot`;
    expect((await run(of('python3'), ['-c', 'import ssl, sqlite3, ctypes, os; print(os.getuid())'])).stdout).toBe(
      '65532\n',
    );
    expect((await run(of('nodejs20'), ['-p', 'process.getuid()'])).stdout).toBe('65532\n');
    expect((await run(of('java21'), ['-version'], '/usr/bin/java')).stderr).toContain('"21.');
    expect((await configOf(of('java21'))).Entrypoint).toEqual(['/usr/bin/java', '-jar']);
    expect((await configOf(of('python3'))).Entrypoint).toEqual(['/usr/bin/python3.13']);
    expect((await configOf(of('nodejs20'))).Entrypoint).toEqual(['/nodejs/bin/node']);
  });
});

describe('entry points, commands and variables', () => {
  it('are those of the official images', async () => {
    expect(await configOf('golang:1.24')).toMatchObject({ WorkingDir: '/go', Cmd: ['bash'] });
    expect((await configOf('golang:1.24')).Env).toEqual(
      expect.arrayContaining(['GOPATH=/go', 'GOTOOLCHAIN=local', expect.stringMatching(/^GOLANG_VERSION=1\.24/)]),
    );
    expect(await configOf('python:3.13-slim')).toMatchObject({ Cmd: ['python3'] });
    expect((await configOf('python:3.13-slim')).Env.join()).toMatch(/PYTHON_VERSION=3\.13\.\d+/);
    expect(await configOf('node:20')).toMatchObject({ Entrypoint: ['docker-entrypoint.sh'], Cmd: ['node'] });
    expect((await run('node:20', ['id', '-u', 'node'])).stdout).toBe('1000\n');
    expect((await configOf('rust:1.85')).Env).toContain('CARGO_HOME=/usr/local/cargo');
    expect(await configOf('maven:3-eclipse-temurin-21')).toMatchObject({
      Entrypoint: ['/usr/local/bin/mvn-entrypoint.sh'],
      Cmd: ['mvn'],
    });
    expect((await configOf('eclipse-temurin:21-jre')).Entrypoint).toEqual(['/__cacert_entrypoint.sh']);
    expect(await configOf('busybox')).toMatchObject({ Cmd: ['sh'] });
  });
});
