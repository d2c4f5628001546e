import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import Docker from 'dockerode';
import { pack } from 'tar-stream';
import { findProgram, readHostSystem } from '../../sandbox-server/setup/host-system.ts';
import { runProgram } from '../../sandbox-server/setup/run-program.ts';

/** Bytes of the layer of a pushed image: enough to be cut in the middle, little enough to be quick. */
const layerBytes = 3_000_000;

/**
 * The registry server of Debian's package docker-registry: the installed one, or the package's, unpacked into `folder`.
 * Not installed: on a machine with systemd that would start it as a service.
 * @returns its path, or why there is none.
 */
export async function findRegistryServer(folder: string): Promise<{ path: string } | { missing: string }> {
  const installed = findProgram('docker-registry');
  if (installed !== null) return { path: installed };
  const host = readHostSystem();
  if (!host.isDebianLike) return { missing: `docker-registry is not installed, and ${host.name} has no apt-get` };
  try {
    const download = (): Promise<string> =>
      runProgram('apt-get', ['download', '-q', 'docker-registry'], { cwd: folder });
    await download().catch(async (error: unknown) => {
      if (!host.isRoot) throw error;
      // A fresh machine has no lists of packages yet, or old ones.
      await runProgram('apt-get', ['update', '-q']);
      return download();
    });
    const [file = ''] = (await readdir(folder)).filter((name) => /^docker-registry_.*\.deb$/.test(name));
    await runProgram('dpkg-deb', ['-x', join(folder, file), join(folder, 'registry')]);
    return { path: join(folder, 'registry/usr/bin/docker-registry') };
  } catch (error) {
    return { missing: `docker-registry cannot be downloaded: ${(error as Error).message}` };
  }
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface TestNetwork extends AsyncDisposable {
  /** An address of this machine that containers reach and others do not. */
  readonly gateway: string;
}

/**
 * A network whose gateway containers of other networks reach: not that of the bridge which every engine has, since the
 * seeder's own engine takes that for its own.
 * @param host for its name and its label ballast.host
 */
export async function openTestNetwork(host: string): Promise<TestNetwork> {
  const network = await new Docker().createNetwork({
    Name: host,
    Labels: { 'ballast.kind': 'test', 'ballast.host': host },
    CheckDuplicate: true,
  });
  const bridge = (await network.inspect()) as { IPAM: { Config: { Gateway: string }[] } };
  return {
    gateway: bridge.IPAM.Config[0]?.Gateway ?? '',
    async [Symbol.asyncDispose]() {
      await network.remove();
    },
  };
}

type ServerProcess = ChildProcessByStdio<null, null, Readable>;

export interface TestRegistryOptions {
  /** To listen on; 127.0.0.1 when left out. */
  readonly address?: string;
  /** Anybody may read and write. */
  readonly open?: boolean;
}

/** A real registry on a free port, with one user (or open to all), its own folder and nothing in it. */
export class TestRegistry implements AsyncDisposable {
  readonly username = 'instructor';
  /** Found again wherever it leaks to. */
  readonly password = `secret-${randomBytes(12).toString('hex')}`;
  readonly port: number;
  readonly #address: string;
  readonly #folder: string;
  readonly #process: ServerProcess;
  readonly #docker = new Docker();

  private constructor(address: string, port: number, folder: string, start: (registry: TestRegistry) => ServerProcess) {
    this.#address = address;
    this.port = port;
    this.#folder = folder;
    this.#process = start(this);
  }

  /** Starts it, and waits until it listens. */
  static async start(
    program: string,
    { address = '127.0.0.1', open = false }: TestRegistryOptions = {},
  ): Promise<TestRegistry> {
    const folder = mkdtempSync(join(tmpdir(), 'ballast-registry-'));
    const port = await freePort();
    const registry = new TestRegistry(address, port, folder, ({ username, password }) => {
      // libcrypt's bcrypt by way of perl, which every Debian has; the password goes through standard input.
      const hash = execFileSync('perl', ['-e', 'print crypt(<STDIN>, q($2b$05$abcdefghijklmnopqrstuu))'], {
        input: password,
      });
      mkdirSync(join(folder, 'storage'));
      writeFileSync(join(folder, 'htpasswd'), `${username}:${hash.toString('utf8')}\n`);
      const config = {
        version: 0.1,
        log: { level: 'info' },
        storage: { filesystem: { rootdirectory: join(folder, 'storage') } },
        http: { addr: `${address}:${String(port)}`, relativeurls: true },
        ...(open ? {} : { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } }),
      };
      // JSON is YAML too.
      writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
      return spawn(program, ['serve', join(folder, 'config.yml')], { stdio: ['ignore', 'ignore', 'pipe'] });
    });
    await registry.#listening();
    return registry;
  }

  async #listening(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    let text = '';
    createInterface({ input: this.#process.stderr }).on('line', (line) => {
      text += `${line}\n`;
      if (line.includes('listening on')) resolve(undefined);
    });
    this.#process.once('exit', () => {
      reject(new Error(`docker-registry ended:\n${text}`));
    });
    await promise;
  }

  get host(): string {
    return `${this.#address}:${String(this.port)}`;
  }

  /**
   * Make an image of one layer of random bytes and push it.
   * @param name as in "library/tiny:1".
   */
  async push(name: string): Promise<void> {
    const ref = `${this.host}/${name}`;
    const colon = ref.lastIndexOf(':');
    const rootfs = pack();
    rootfs.entry({ name: 'random' }, randomBytes(layerBytes));
    rootfs.finalize();
    const tar = Readable.from(rootfs as AsyncIterable<Buffer>, { objectMode: false });
    const imported = await this.#docker.importImage(tar, { repo: ref.slice(0, colon), tag: ref.slice(colon + 1) });
    await finished(imported.resume());
    const image = this.#docker.getImage(ref);
    const { username, password } = this;
    const authconfig = { username, password, serveraddress: this.host };
    const pushed = await image.push({ authconfig });
    let text = '';
    for await (const chunk of pushed) text += String(chunk);
    await image.remove();
    if (text.includes('"error"')) throw new Error(`push of ${ref}: ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
