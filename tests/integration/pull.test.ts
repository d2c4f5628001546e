import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ImagePuller } from '../../sandbox-server/base-images/image-puller.ts';
import { obtainImages } from '../../sandbox-server/base-images/obtain.ts';
import { pullError } from '../../sandbox-server/base-images/pull-failure.ts';
import { Seeder } from '../../sandbox-server/base-images/seeder.ts';
import { configSchema, loadConfig, type Config } from '../../sandbox-server/config.ts';
import { connectDocker } from '../../sandbox-server/engines/docker/connect.ts';
import type { Engine, ExecSpec } from '../../sandbox-server/engines/engine.ts';
import { readHostSystem } from '../../sandbox-server/setup/host-system.ts';
import { packFiles, prepareSandboxImage, pullToHost } from '../../sandbox-server/setup/prepare-sandbox-image.ts';
import { prepareStore } from '../../sandbox-server/setup/prepare-store.ts';
import { startSandbox } from '../../sandbox-server/sessions/start-sandbox.ts';
import { FaultyProxy } from '../helpers/faulty-proxy.ts';
import { findRegistryServer, openTestNetwork, TestRegistry, type TestNetwork } from '../helpers/registry.ts';

const folder = mkdtempSync(join(tmpdir(), 'ballast-pull-'));
const server = await findRegistryServer(folder);
if ('missing' in server)
  process.stderr.write(`\n!!! tests of the pull path are skipped, because ${server.missing}\n\n`);

const mark = randomBytes(4).toString('hex');
const host = `pull-test-${mark}`;
const docker = new Docker();
const manifests = /^HEAD \/v2\/.*\/manifests\//;
const blobs = /^GET \/v2\/.*\/blobs\//;
/** Unlike any that the catalogue has: nothing but pulling can give it. */
const refOf = (name: string): string => `ballast-pull-${mark}/${name}:1`;

/** Everything that programs in sandboxes were started with, and every line that people or logs would see. */
const started: ExecSpec[] = [];
const shown: string[] = [];
const report = (text: string): void => {
  shown.push(text);
};
const progress = ({ text }: { text: string }): void => {
  report(text);
};

describe.skipIf('missing' in server)('images from a registry', () => {
  let engine: Engine;
  let image: string;
  let registry: TestRegistry;
  let proxy: FaultyProxy;
  let tlsProxy: FaultyProxy;
  let network: TestNetwork;
  let seederId: string;
  let seeder: Seeder;
  const storeVolume = `ballast-${host}`;
  const passwordFile = join(folder, 'password');
  const wrongFile = join(folder, 'wrong');
  const caFile = join(folder, 'ca.pem');

  /** Settings by which docker.io's images come through the proxy. */
  const registries = (further: object = {}): Config['registries'] =>
    configSchema.parse({
      registries: {
        'docker.io': {
          mirror: `http://${proxy.host}`,
          auth: { username: registry.username, passwordFile },
          ...further,
        },
      },
    }).registries;
  const puller = (further: object = {}): ImagePuller => new ImagePuller(seeder, registries(further), '');

  beforeAll(async () => {
    engine = new Proxy(await connectDocker(process.env), {
      get(target, name): unknown {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          if (name === 'exec') started.push(given[1] as ExecSpec);
          return Reflect.apply(value, target, given);
        };
      },
    });
    ({ image } = await prepareSandboxImage(engine, {
      config: loadConfig(),
      host: readHostSystem(),
      progress: () => undefined,
    }));
    registry = await TestRegistry.start('path' in server ? server.path : '');
    writeFileSync(passwordFile, `${registry.password}\n`);
    writeFileSync(wrongFile, 'not-the-password\n');
    network = await openTestNetwork(host);
    const { gateway } = network;
    proxy = await FaultyProxy.start(gateway, registry.port);
    const keyFile = join(folder, 'key.pem');
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=ballast test', '-addext', `subjectAltName=IP:${gateway}`, '-keyout', keyFile, '-out', caFile],
      ],
      { stdio: 'pipe' },
    );
    tlsProxy = await FaultyProxy.start(gateway, registry.port, {
      key: readFileSync(keyFile),
      cert: readFileSync(caFile),
    });
    for (const name of ['a', 'b', 'cut']) await registry.push(refOf(name));
    await engine.createVolume(storeVolume, { 'ballast.kind': 'store', 'ballast.host': host });
    ({ id: seederId } = await startSandbox(
      engine,
      {
        session: `pull${mark}`,
        kind: 'seeder',
        host,
        image,
        storeVolume,
        limits: { memoryBytes: 1024 ** 3, cpus: 1, pids: 1024 },
        network: 'bridge',
        hostname: 'seeder',
        env: {},
      },
      { timeoutMs: 60_000 },
    ));
    seeder = new Seeder(engine, seederId);
  });

  beforeEach(() => {
    proxy.reset();
    tlsProxy.reset();
  });

  afterAll(async () => {
    for (const of of [host, `${host}-damaged`]) {
      for (const left of await engine.listSandboxes({ 'ballast.host': of })) await engine.removeSandbox(left.id);
      for (const left of await engine.listVolumes({ 'ballast.host': of })) await engine.removeVolume(left);
    }
    await proxy[Symbol.asyncDispose]();
    await tlsProxy[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const tagsInSeeder = async (): Promise<string> =>
    seeder.run(['/usr/bin/docker', 'images', '--format', '{{.Repository}}:{{.Tag}}']);

  it('come through a mirror, under their own names', async () => {
    expect(await puller().pull(refOf('a'), report)).toBeNull();
    expect((await tagsInSeeder()).trim()).toBe(refOf('a'));
    expect(proxy.requests.filter((asked) => blobs.test(asked)).length).toBeGreaterThan(0);
  });

  it('come after a log-in for a token, and with a ready token', async () => {
    const basic = `Basic ${Buffer.from(`${registry.username}:${registry.password}`).toString('base64')}`;
    const token = `token-${randomBytes(12).toString('hex')}`;
    proxy.tokens = { token, basic };
    expect(await puller().pull(refOf('b'), report)).toBeNull();
    await seeder.run(['/usr/bin/docker', 'rmi', refOf('b')]);
    expect(await puller({ auth: { username: 'x', passwordFile: wrongFile } }).pull(refOf('b'), report)).toMatchObject({
      kind: 'denied',
    });
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, token);
    expect(await puller({ auth: { tokenFile } }).pull(refOf('b'), report)).toBeNull();
  });

  it('are not paid for with a secret sent where a registry with TLS points without it', async () => {
    tlsProxy.tokens = { token: 'x', basic: 'x', realm: `http://${proxy.host}/token` };
    const trusting = new ImagePuller(seeder, registries({ mirror: tlsProxy.host }), readFileSync(caFile, 'utf8'));
    expect(await trusting.pull(refOf('x'), report)).toEqual({
      kind: 'denied',
      detail: 'it names no place to log in at',
    });
    expect(tlsProxy.requests).toHaveLength(1);
    expect(proxy.requests).toEqual([]);
  });

  it('are denied without credentials and with wrong ones, and it is said which', async () => {
    const anonymous = puller({ auth: undefined });
    const failure = await anonymous.pull(refOf('cut'), report);
    expect(failure).toMatchObject({ kind: 'denied' });
    expect(pullError(failure!, anonymous.source(refOf('cut')))).toMatchObject({
      code: 'registry_denied',
      message: expect.stringContaining('does not give') as string,
      hint: expect.stringContaining('registries.docker.io.auth') as string,
    });
    const wrong = obtainImages(seeder, {
      refs: ['debian:trixie-slim'],
      known: [],
      architecture: 'amd64',
      registries: registries({ auth: { username: registry.username, passwordFile: wrongFile } }),
      policy: 'auto',
      extraCa: '',
      authorities: '',
      rustupServer: '',
      pack: packFiles,
      progress,
      bootstrapRootfs: () => Promise.reject(new Error('not to be asked for')),
    });
    await expect(wrong).rejects.toMatchObject({
      code: 'registry_denied',
      message: expect.stringContaining(`${proxy.host} refuses the credentials`) as string,
    });
  });

  it('are waited for when the registry limits the rate, as long as it says', async () => {
    const limit = { status: 429, headers: { 'retry-after': '2' } };
    proxy.reset({ on: manifests, times: 1, act: limit });
    await seeder.run(['/usr/bin/docker', 'rmi', refOf('a')]);
    const before = performance.now();
    expect(await puller().pull(refOf('a'), report)).toBeNull();
    expect(performance.now() - before).toBeGreaterThan(2000);
    expect(shown).toContain(`${proxy.host} limits the rate: going on in 2 s`);
  });

  it('are not waited for beyond the bound, and the registry is not asked again', async () => {
    proxy.reset({ on: manifests, times: Infinity, act: { status: 429, headers: { 'retry-after': '3600' } } });
    const impatient = puller({ waitSeconds: 5 });
    const before = performance.now();
    const failure = await impatient.pull(refOf('cut'), report);
    expect(performance.now() - before).toBeLessThan(5000);
    expect(failure).toMatchObject({ kind: 'rate-limited', retryAfterSeconds: 3600 });
    expect(pullError(failure!, impatient.source(refOf('cut')))).toMatchObject({ code: 'registry_rate_limited' });
    const asked = proxy.requests.length;
    expect(await impatient.pull(refOf('b'), report)).toEqual(failure);
    expect(proxy.requests).toHaveLength(asked);
  });

  it('come whole when the connection is cut in the middle of a layer, going on where it broke', async () => {
    const layer = { on: blobs, times: 2, act: { cutAfter: 1_000_000 } };
    proxy.reset({ on: manifests, times: 1, act: { status: 500 } }, layer);
    expect(await puller().pull(refOf('cut'), report)).toBeNull();
    expect(layer.times).toBe(0);
    expect(
      proxy.requests.some((asked) => /bytes=\d{3,}-/.test(asked)),
      proxy.requests.join('\n'),
    ).toBe(true);
    expect(await tagsInSeeder()).toContain(refOf('cut'));
  });

  it('are replaced by equivalents where the registry does not have them, one by one, and it is said', async () => {
    const rootfs = join(folder, 'rootfs.tar');
    const file = { name: 'here', content: Buffer.from('x'), mode: 0o644 };
    writeFileSync(rootfs, Buffer.concat((await packFiles([file]).toArray()) as Buffer[]));
    const options = {
      refs: ['debian:trixie-slim', refOf('a')],
      known: [],
      architecture: 'amd64',
      registries: registries(),
      extraCa: '',
      authorities: '',
      rustupServer: '',
      pack: packFiles,
      progress,
      bootstrapRootfs: () => Promise.resolve(rootfs),
    };
    await expect(obtainImages(seeder, { ...options, policy: 'pull' })).rejects.toMatchObject({
      code: 'images_missing',
      message: expect.stringContaining(`${proxy.host} does not have debian:trixie-slim`) as string,
    });
    await seeder.run(['/usr/bin/docker', 'rmi', refOf('a')]);
    expect((await obtainImages(seeder, { ...options, policy: 'auto' })).images).toMatchObject([
      {
        ref: 'debian:trixie-slim',
        origin: 'equivalent',
        note: expect.stringContaining('does not have debian:trixie-slim') as string,
      },
      { ref: refOf('a'), origin: 'official' },
    ]);
    expect(shown.join('\n')).toMatch(
      /does not have debian:trixie-slim .*: building debian:trixie-slim from Debian packages/,
    );
    proxy.reset();
    await seeder.run(['/usr/bin/docker', 'rmi', 'debian:trixie-slim']);
    await obtainImages(seeder, { ...options, refs: ['debian:trixie-slim'], policy: 'build' });
    expect(proxy.requests).toEqual([]);
  });

  it('say that nobody answers, and that a certificate is not trusted, with what to do', async () => {
    const nobody = puller({ mirror: 'http://127.0.0.1:9' });
    expect(await nobody.pull(refOf('x'), report)).toMatchObject({ kind: 'unreachable' });
    const untrusted = puller({ mirror: tlsProxy.host });
    const failure = await untrusted.pull(refOf('x'), report);
    expect(failure).toMatchObject({ kind: 'untrusted' });
    expect(pullError(failure!, untrusted.source(refOf('x')))).toMatchObject({
      code: 'registry_untrusted',
      hint: expect.stringContaining('BALLAST_EXTRA_CA') as string,
    });
  });

  it("come into the host's engine under their own names, for the base of the sandbox image", async () => {
    const ref = refOf('a');
    const config = configSchema.parse({
      registries: registries({ mirror: registry.host }),
    });
    expect(await pullToHost(engine, ref, { config, progress })).toBe(true);
    expect(await engine.findImage(ref)).not.toBeNull();
    expect(await engine.findImage(`${registry.host}/${ref}`)).toBeNull();
    await engine.removeImage(ref);
    const auth = { username: registry.username, passwordFile: wrongFile };
    const denied = configSchema.parse({ registries: registries({ mirror: registry.host, auth }) });
    await expect(pullToHost(engine, ref, { config: denied, progress })).rejects.toMatchObject({
      code: 'registry_denied',
    });
  });

  it('make a store of official images over TLS; a second try goes on where the first one failed', async () => {
    const config = configSchema.parse({
      home: join(folder, 'home'),
      extraCa: caFile,
      images: 'pull',
      registries: registries({ mirror: tlsProxy.host }),
    });
    const refs = [refOf('a'), refOf('late')];
    const options = { image, refs, host, config, progress };
    await expect(prepareStore(engine, options)).rejects.toMatchObject({ code: 'images_missing' });
    await registry.push(refOf('late'));
    tlsProxy.reset();
    const { volume, images } = await prepareStore(engine, options);
    expect(images.map(({ ref, origin }) => ({ ref, origin }))).toEqual(
      refs.map((ref) => ({ ref, origin: 'official' })),
    );
    expect(tlsProxy.requests.join('\n')).toContain('/late/');
    expect(tlsProxy.requests.join('\n')).not.toContain('/a/');

    const { id } = await startSandbox(
      engine,
      {
        session: `use${mark}`,
        kind: 'sandbox',
        host,
        image,
        storeVolume: volume,
        limits: { memoryBytes: 1024 ** 3, cpus: 1, pids: 1024 },
        network: 'none',
        hostname: 'sandbox',
        env: {},
      },
      { timeoutMs: 60_000 },
    );
    const inSandbox = new Seeder(engine, id);
    const listed = await inSandbox.run(['/usr/bin/docker', 'images', '--format', '{{.Repository}}:{{.Tag}}']);
    expect(listed.trim().split('\n').sort()).toEqual(refs.toSorted());
    expect(await inSandbox.run(['/usr/bin/docker', 'image', 'inspect', ...refs])).not.toContain('ballast.origin');
    await expectNoSecretIn([volume]);
  });

  it('make one store where two set-ups begin at once', async () => {
    const made = await Promise.all(
      ['one', 'two', 'three'].map(async (name) => {
        const config = configSchema.parse({ home: join(folder, name), images: 'pull', registries: registries() });
        return prepareStore(engine, { image, refs: [refOf('b')], host, config, progress });
      }),
    );
    const [{ volume } = { volume: '' }] = made;
    for (const store of made) {
      expect(store.volume).toBe(volume);
      expect(store.images.map(({ ref }) => ref)).toEqual([refOf('b')]);
      expect(store.revision).toBe(1);
    }
    expect(made.filter(({ obtained }) => obtained.length > 0)).toHaveLength(1);
    await engine.removeVolume(volume);
  });

  it('are added to those that another set-up added after this one had looked at the store', async () => {
    const prepare = async (on: Engine, name: string): ReturnType<typeof prepareStore> => {
      const config = configSchema.parse({
        home: join(folder, `${name}-home`),
        images: 'pull',
        registries: registries(),
      });
      return prepareStore(on, { image, refs: [refOf(name)], host, config, progress });
    };
    await prepare(engine, 'b');
    // The engine is asked for room when the store has been looked at, and not been opened to fill it.
    const overtaken = new Proxy(engine, {
      get(target, name): unknown {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== 'diskRoom') return typeof value === 'function' ? value.bind(target) : value;
        return async () => {
          await prepare(engine, 'a');
          return target.diskRoom();
        };
      },
    });
    const { volume, images, revision } = await prepare(overtaken, 'cut');
    expect(images.map(({ ref }) => ref).sort()).toEqual(['a', 'b', 'cut'].map(refOf));
    expect(revision).toBe(3);
    await engine.removeVolume(volume);
  });

  it('make a store from the beginning where what a failed set-up left is damaged', async () => {
    const config = configSchema.parse({ home: join(folder, 'home'), images: 'pull', registries: registries() });
    const options = { image, refs: [refOf('b')], host: `${host}-damaged`, config, progress };
    proxy.reset({ on: manifests, times: 1, act: { status: 404 } });
    await expect(prepareStore(engine, options)).rejects.toMatchObject({ code: 'images_missing' });
    const [left = ''] = await engine.listVolumes({ 'ballast.host': options.host });
    const labels = await engine.volumeLabels(left);
    const container = await docker.createContainer({
      Image: image,
      Labels: { 'ballast.kind': 'test', 'ballast.host': host },
      Entrypoint: ['/bin/sh', '-c', 'rm -r /store/docker/image && touch /store/docker/image'],
      HostConfig: { Binds: [`${left}:/store`], NetworkMode: 'none' },
    });
    await container.start();
    expect(await container.wait()).toMatchObject({ StatusCode: 0 });
    await container.remove();
    const { volume } = await prepareStore(engine, options);
    expect(volume).toBe(left);
    expect(await engine.volumeLabels(left)).not.toEqual(labels);
    expect(shown).toContain('What an earlier set-up has left cannot be used: beginning anew');
    await engine.removeVolume(volume);
  });

  /** Whether any file of the volumes holds one of the texts. Looks as root, who can read every file. */
  async function isIn(volumes: readonly string[], ...texts: string[]): Promise<boolean> {
    const container = await docker.createContainer({
      Image: image,
      Labels: { 'ballast.kind': 'test', 'ballast.host': host },
      Entrypoint: ['/bin/grep', '-rlF', ...texts.flatMap((text) => ['-e', text]), '/volumes'],
      HostConfig: { Binds: volumes.map((name) => `${name}:/volumes/${name}:ro`), NetworkMode: 'none' },
    });
    try {
      await container.start();
      const { StatusCode } = (await container.wait()) as { StatusCode: number };
      // 0: found; 1: looked at everything and found nothing; else it could not look.
      expect([0, 1], String(await container.logs({ stdout: true, stderr: true }))).toContain(StatusCode);
      return StatusCode === 0;
    } finally {
      await container.remove({ force: true });
    }
  }

  async function expectNoSecretIn(volumes: readonly string[]): Promise<void> {
    const base64 = Buffer.from(`${registry.username}:${registry.password}`).toString('base64');
    expect(await isIn(volumes, mark)).toBe(true);
    expect(await isIn(volumes, registry.password, base64)).toBe(false);
  }

  it('leave no secret in a volume, a log, an argument or a message', async () => {
    await expectNoSecretIn([storeVolume, `ballast-home-pull${mark}`]);
    expect(await seeder.run(['/usr/bin/find', '/dev/shm', '-type', 'f'])).toBe('/dev/shm/ballast-ca.crt\n');
    const everything = JSON.stringify([started, shown, await engine.tailLog(seederId, 1000)]);
    expect(started.length).toBeGreaterThan(20);
    expect(everything).not.toContain(registry.password);
    expect(everything).not.toContain(Buffer.from(`${registry.username}:${registry.password}`).toString('base64'));
  });
});
