import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { extract, pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, ExecSpec, NamedImage, SandboxSpec } from '../../sandbox-server/engines/engine.ts';
import { BallastError } from '../../sandbox-server/protocol/index.ts';
import { startSandbox } from '../../sandbox-server/sessions/start-sandbox.ts';
import { removeOldSandboxImages } from '../../sandbox-server/setup/old-sandbox-images.ts';

const host = `contract-${randomBytes(4).toString('hex')}`;
const sessionName = (): string => randomBytes(10).toString('hex');
const mebibyte = 1024 * 1024;

/** Polls until the condition holds; fails after ten seconds. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('It did not come true within 10 s.');
    await delay(50);
  }
}

/**
 * What every engine driver has to keep, tried on a real engine.
 * @param connect the driver's engine and a sandbox image in it.
 */
export function engineContract(connect: () => Promise<{ engine: Engine; image: string }>): void {
  let engine: Engine;
  let image: string;
  let id: string;
  const session = sessionName();
  const storeOf = (name: string): string => `ballast-${host}-${name}`;
  const store = storeOf(session);

  // A seeder needs no filled store (it would fill its own); without a network it is a sandbox like any other.
  const specOf = (name: string): SandboxSpec => ({
    session: name,
    kind: 'seeder',
    host,
    image,
    storeVolume: storeOf(name),
    limits: { memoryBytes: 512 * mebibyte, cpus: 1, pids: 256 },
    network: 'none',
    hostname: 'contract',
    env: { GIVEN: 'at creation' },
  });

  async function start(name = sessionName()): Promise<string> {
    await engine.createVolume(storeOf(name), { 'ballast.kind': 'test', 'ballast.host': host });
    return (await startSandbox(engine, specOf(name), { timeoutMs: 60_000 })).id;
  }

  async function run(spec: ExecSpec, input = ''): Promise<{ code: number; stdout: string; stderr: string }> {
    const exec = await engine.exec(id, spec);
    exec.stdin.end(input);
    const [stdout, stderr] = await Promise.all(
      [exec.stdout, exec.stderr].map(async (stream) => Buffer.concat((await stream.toArray()) as Buffer[]).toString()),
    );
    return { code: await exec.exitCode(), stdout: stdout ?? '', stderr: stderr ?? '' };
  }

  beforeAll(async () => {
    ({ engine, image } = await connect());
    id = await start(session);
  });

  afterAll(async () => {
    for (const left of await engine.listSandboxes({ 'ballast.host': host })) await engine.removeSandbox(left.id);
    for (const name of await engine.listVolumes({ 'ballast.host': host })) await engine.removeVolume(name);
    expect(await engine.listSandboxes({ 'ballast.host': host })).toEqual([]);
    expect(await engine.listVolumes({ 'ballast.host': host })).toEqual([]);
  });

  describe('engine', () => {
    it('says what it is', async () => {
      const info = await engine.info();
      expect(info.version).toMatch(/\d/);
      expect(info.cpus).toBeGreaterThan(0);
      expect(info.memoryBytes).toBeGreaterThan(0);
      expect(info.architecture).not.toBe('');
    });
  });

  describe('exec', () => {
    it.each([0, 1, 7, 126, 255])('delivers exit code %i', async (code) => {
      expect(await run({ argv: ['/bin/sh', '-c', `exit ${String(code)}`] })).toMatchObject({ code });
    });

    it('delivers exit codes of many programs at once', async () => {
      const codes = Array.from({ length: 12 }, (_, code) => code);
      const results = await Promise.all(codes.map((code) => run({ argv: ['/bin/sh', '-c', `exit ${String(code)}`] })));
      expect(results.map(({ code }) => code)).toEqual(codes);
    });

    it('keeps standard output and standard error apart', async () => {
      const result = await run({ argv: ['/bin/sh', '-c', 'echo out; echo err >&2'] });
      expect(result).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' });
    });

    it('says that a program is not there by its exit code', async () => {
      const result = await run({ argv: ['/no/such/program'] });
      expect([126, 127]).toContain(result.code);
    });

    it('passes arguments, folder, user and environment as data', async () => {
      const argument = `a 'b" $HOME\n*;`;
      expect((await run({ argv: ['/usr/bin/printf', '%s', argument] })).stdout).toBe(argument);
      expect((await run({ argv: ['/bin/pwd'], cwd: '/usr/lib' })).stdout).toBe('/usr/lib\n');
      expect((await run({ argv: ['/usr/bin/id', '-un'] })).stdout).toBe('learner\n');
      expect((await run({ argv: ['/usr/bin/id', '-un'], user: 'root' })).stdout).toBe('root\n');
      const shown = await run({ argv: ['/bin/sh', '-c', 'echo "$GIVEN, $MORE"'], env: { MORE: 'a=b' } });
      expect(shown.stdout).toBe('at creation, a=b\n');
    });

    it('half-closes input: a program that reads to the end goes on to answer', async () => {
      const input = 'x'.repeat(3_000_000);
      expect((await run({ argv: ['/usr/bin/wc', '-c'] }, input)).stdout.trim()).toBe('3000000');
    });

    it('unpacks a tar from its input', async () => {
      const archive = pack();
      archive.entry({ name: 'folder/file.txt' }, 'from a tar');
      archive.finalize();
      const exec = await engine.exec(id, { argv: ['/bin/tar', '-x', '-C', '/tmp'] });
      Readable.from(archive as AsyncIterable<Buffer>).pipe(exec.stdin);
      exec.stdout.resume();
      exec.stderr.resume();
      expect(await exec.exitCode()).toBe(0);
      expect((await run({ argv: ['/bin/cat', '/tmp/folder/file.txt'] })).stdout).toBe('from a tar');
    });

    it('survives input to a program that does not read it', async () => {
      expect((await run({ argv: ['/bin/true'] }, 'x'.repeat(3_000_000))).code).toBe(0);
    });

    it('carries big output unchanged', async () => {
      const bytes = 64 * mebibyte;
      const script = `head -c ${String(bytes)} /dev/urandom > /tmp/big; cat /tmp/big; sha256sum < /tmp/big >&2`;
      const exec = await engine.exec(id, { argv: ['/bin/sh', '-c', script] });
      const hash = createHash('sha256');
      let size = 0;
      const [stderr] = await Promise.all([
        exec.stderr.toArray() as Promise<Buffer[]>,
        (async () => {
          for await (const chunk of exec.stdout as AsyncIterable<Buffer>) {
            size += chunk.length;
            hash.update(chunk);
          }
        })(),
      ]);
      expect(await exec.exitCode()).toBe(0);
      expect(size).toBe(bytes);
      expect(hash.digest('hex')).toBe(Buffer.concat(stderr).toString().split(' ')[0]);
    });

    it('makes the program wait for a reader that pauses', async () => {
      const script = 'for n in $(seq 500); do head -c 1000000 /dev/zero; echo $n > /tmp/progress; done';
      const exec = await engine.exec(id, { argv: ['/bin/sh', '-c', script] });
      exec.stderr.resume();
      const progress = async (): Promise<number> => Number((await run({ argv: ['/bin/cat', '/tmp/progress'] })).stdout);
      let before = -1;
      await until(async () => {
        const now = await progress();
        const stopped = now === before;
        before = now;
        return stopped;
      });
      expect(before).toBeLessThan(100);
      let size = 0;
      for await (const chunk of exec.stdout as AsyncIterable<Buffer>) size += chunk.length;
      expect(size).toBe(500_000_000);
      expect(await exec.exitCode()).toBe(0);
    });

    it('fails with engine_failed when the sandbox is not there', async () => {
      const gone = engine.exec('no-such-sandbox', { argv: ['/bin/true'] });
      await expect(gone).rejects.toMatchObject({ name: 'BallastError', code: 'engine_failed' });
    });

    it('ends the streams with an error when the sandbox is removed meanwhile', async () => {
      const other = await start();
      const exec = await engine.exec(other, { argv: ['/bin/sh', '-c', 'echo running; exec sleep 1000'] });
      exec.stderr.resume();
      await once(exec.stdout, 'data');
      exec.stdout.resume();
      const code = exec.exitCode();
      await engine.removeSandbox(other);
      // Engines differ in whether they still know the code of a program that they killed.
      const outcome = await code.catch((error: unknown) => error);
      expect(outcome instanceof BallastError ? 137 : outcome).toBe(137);
    });
  });

  describe('exec on a terminal', () => {
    it('has the size asked for, and takes a new one', async () => {
      const script = 'stty size; read -r line; stty size; exit 5';
      const exec = await engine.execTerminal(id, { argv: ['/bin/bash', '-c', script] }, { cols: 101, rows: 33 });
      let text = '';
      exec.stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      await until(() => Promise.resolve(/\d+ \d+/.test(text)));
      await exec.resize(77, 22);
      exec.stream.write('\n');
      expect(await exec.exitCode()).toBe(5);
      expect(text).toContain('33 101');
      expect(text).toContain('22 77');
    });

    it('makes the program wait for a reader that pauses', async () => {
      const script = 'for n in $(seq 300); do head -c 100000 /dev/zero | tr "\\0" x; echo $n > /tmp/screen; done';
      const exec = await engine.execTerminal(id, { argv: ['/bin/bash', '-c', script] }, { cols: 80, rows: 24 });
      const progress = async (): Promise<number> => Number((await run({ argv: ['/bin/cat', '/tmp/screen'] })).stdout);
      let before = -1;
      await until(async () => {
        const now = await progress();
        const stopped = now === before;
        before = now;
        return stopped;
      });
      expect(before).toBeLessThan(200);
      exec.stream.resume();
      expect(await exec.exitCode()).toBe(0);
      expect(await progress()).toBe(300);
    });

    it('can be resized after its program has ended', async () => {
      const exec = await engine.execTerminal(id, { argv: ['/bin/true'] }, { cols: 80, rows: 24 });
      exec.stream.resume();
      await exec.exitCode();
      await expect(exec.resize(90, 30)).resolves.toBeUndefined();
    });
  });

  describe('sandboxes', () => {
    it('are listed by their labels, with what they were made from', async () => {
      const [record, ...others] = await engine.listSandboxes({ 'ballast.host': host, 'ballast.session': session });
      expect(others).toEqual([]);
      expect(record).toMatchObject({ id, session, kind: 'seeder', running: true, storeVolume: store });
      expect(Math.abs(Date.now() - record!.createdAt.getTime())).toBeLessThan(600_000);
      expect(await engine.inspectSandbox(id)).toMatchObject({ id, session, running: true });
      expect(await engine.listSandboxes({ 'ballast.host': 'nobody' })).toEqual([]);
    });

    it('can be removed twice, and take their data with them', async () => {
      const name = sessionName();
      await engine.createVolume(storeOf(name), { 'ballast.kind': 'test', 'ballast.host': host });
      const other = await engine.createSandbox(specOf(name));
      const volumes = (): Promise<readonly string[]> => engine.listVolumes({ 'ballast.session': name });
      expect(await volumes()).toHaveLength(1);
      await Promise.all([engine.removeSandbox(other), engine.removeSandbox(other)]);
      await engine.removeSandbox(other);
      expect(await engine.inspectSandbox(other)).toBeNull();
      expect(await volumes()).toEqual([]);
    });

    it('can be replaced around their data', async () => {
      const name = sessionName();
      const first = await start(name);
      const write = await engine.exec(first, { argv: ['/bin/touch', '/home/learner/kept'] });
      write.stdout.resume();
      write.stderr.resume();
      expect(await write.exitCode()).toBe(0);
      await engine.removeSandbox(first, { keepData: true });
      const second = await start(name);
      const read = await engine.exec(second, { argv: ['/bin/test', '-e', '/home/learner/kept'] });
      read.stdout.resume();
      read.stderr.resume();
      expect(await read.exitCode()).toBe(0);
      await engine.removeSandbox(second);
    });

    it('are measured by what they take of the disk, and so is the room that is left', async () => {
      const before = (await engine.diskUse()).sandboxes.get(id) ?? NaN;
      const write = 'head -c 8M /dev/urandom > /home/learner/eight; head -c 8M /dev/urandom > /tmp/eight';
      expect(await run({ argv: ['/bin/bash', '-c', write], user: 'learner' })).toMatchObject({ code: 0 });
      const grown = ((await engine.diskUse()).sandboxes.get(id) ?? NaN) - before;
      expect(grown).toBeGreaterThanOrEqual(16 * mebibyte);
      expect(grown).toBeLessThan(17 * mebibyte);
      const room = await engine.diskRoom();
      // Null where the engine is on another machine.
      if (room !== null) expect(room.freeBytes).toBeGreaterThan(0);
    });

    it('tell what they use of processors, processes and memory', async () => {
      const before = await engine.resourceUse(id);
      // So much work, and not so much time: another program may have the processor.
      const burn = 'for ((i = 0; i < 500000; i++)); do :; done';
      expect(await run({ argv: ['/bin/bash', '-c', burn], user: 'learner' })).toMatchObject({ code: 0 });
      const after = await engine.resourceUse(id);
      expect(after.cpuMs).toBeGreaterThan(before.cpuMs + 100);
      expect(after.processes).toBeGreaterThan(0);
      expect(after.processLimit).toBe(specOf('x').limits.pids);
    });

    it('leave nothing behind when they cannot be created', async () => {
      const name = sessionName();
      const failing = engine.createSandbox({ ...specOf(name), image: 'ballast/no-such-image:none' });
      await expect(failing).rejects.toMatchObject({ name: 'BallastError', code: 'image_not_found' });
      expect(await engine.listVolumes({ 'ballast.session': name })).toEqual([]);
    });

    it('have a log that can be followed and cut short', async () => {
      const abort = new AbortController();
      const lines: string[] = [];
      for await (const line of engine.followLog(id, abort.signal)) {
        lines.push(line);
        if (line === 'ballast: ready') abort.abort();
      }
      expect(lines).toContain('ballast: ready');
      expect(await engine.tailLog(id, 100)).toContain('ballast: ready');
    });
  });

  describe('volumes and images', () => {
    it('keep labels, and may be missing', async () => {
      expect(await engine.volumeLabels(store)).toMatchObject({ 'ballast.host': host });
      expect(await engine.volumeLabels(`${store}-none`)).toBeNull();
      await engine.removeVolume(`${store}-none`);
      expect(await engine.findImage('ballast/no-such-image:none')).toBeNull();
      await engine.removeImage('ballast/no-such-image:none');
    });

    it('imports, builds and removes images', async () => {
      const tag = `ballast/${host}:imported`;
      const rootfs = pack();
      rootfs.entry({ name: 'hello.txt' }, 'hello');
      rootfs.finalize();
      await engine.importImage(tag, Readable.from(rootfs as AsyncIterable<Buffer>), { 'ballast.host': host });
      expect((await engine.findImage(tag))?.labels).toMatchObject({ 'ballast.host': host });

      const built = `ballast/${host}:built`;
      const context = pack();
      context.entry({ name: 'Dockerfile' }, 'ARG BASE\nFROM ${BASE}\nCOPY Dockerfile /\n');
      context.finalize();
      const steps: string[] = [];
      await engine.buildImage(built, Readable.from(context as AsyncIterable<Buffer>), {
        labels: { 'ballast.host': host },
        buildArgs: { BASE: tag },
        onProgress: ({ text }) => steps.push(text),
      });
      expect(steps.join('\n')).toContain('COPY Dockerfile');
      expect((await engine.findImage(built))?.labels).toMatchObject({ 'ballast.host': host });

      const saved = new Map<string, string>();
      const archive = extract();
      (await engine.saveImage(built)).pipe(archive);
      for await (const entry of archive) {
        const chunks: Buffer[] = [];
        for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
        saved.set(entry.header.name, Buffer.concat(chunks).toString());
      }
      expect(saved.get('manifest.json')).toContain(built);
      await expect(engine.saveImage('ballast/no-such-image:none')).rejects.toMatchObject({ code: 'image_not_found' });

      const other = `ballast/${host}:other`;
      await engine.tagImage(built, other);
      const named = (): Promise<readonly NamedImage[]> => engine.listImages({ 'ballast.host': host });
      expect((await named()).map(({ ref }) => ref).sort()).toEqual([built, tag, other].sort());
      const timeOf = (images: readonly NamedImage[]): number =>
        images.find(({ ref }) => ref === other)?.lastTagged?.getTime() ?? 0;
      const before = timeOf(await named());
      await engine.tagImage(other, other);
      expect(timeOf(await named())).toBeGreaterThan(before);

      for (const ref of [built, tag, other]) await engine.removeImage(ref);
      expect(await engine.findImage(built)).toBeNull();
    });

    it('keeps an old sandbox image that a container is of, and removes one that nobody uses', async () => {
      const refOf = (name: string): string => `ballast/${host}-sandbox:${name}`;
      const names = ['used', 'unused', 'recent', 'current'];
      const has = async (): Promise<string[]> => {
        const found = await Promise.all(names.map((name) => engine.findImage(refOf(name))));
        return names.filter((_, at) => found[at] !== null);
      };
      for (const name of names) {
        const context = pack();
        context.entry({ name: 'Dockerfile' }, `FROM ${image}\nLABEL ballast.test=${name}\n`);
        context.finalize();
        await engine.buildImage(refOf(name), Readable.from(context as AsyncIterable<Buffer>), {
          labels: { 'ballast.host': host },
          buildArgs: {},
          onProgress: () => undefined,
        });
      }
      const user = sessionName();
      // The engine would make it by itself, without the labels that it is removed by.
      await engine.createVolume(storeOf(user), { 'ballast.kind': 'test', 'ballast.host': host });
      const sandbox = await engine.createSandbox({ ...specOf(user), image: refOf('used') });
      // Other servers' images on the same engine are none of this test's.
      const ours = new Proxy(engine, {
        get(target, name): unknown {
          if (name === 'listImages') return () => engine.listImages({ 'ballast.host': host });
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      await removeOldSandboxImages(ours, { current: refOf('current') });
      expect(await has()).toEqual(names);
      await engine.tagImage(refOf('recent'), refOf('recent'));
      const recent = (await engine.listImages({ 'ballast.host': host })).find(({ ref }) => ref === refOf('recent'));
      await until(async () => {
        await removeOldSandboxImages(ours, { current: refOf('current'), unusedMs: 1_000_000_000 });
        const now = (await engine.listImages({ 'ballast.host': host })).find(({ ref }) => ref === refOf('current'));
        return Number(now?.lastTagged) - Number(recent?.lastTagged) > 100;
      });
      await engine.tagImage(refOf('recent'), refOf('recent'));
      await removeOldSandboxImages(ours, { current: refOf('current'), unusedMs: 100 });
      expect(await has()).toEqual(['used', 'recent', 'current']);
      await engine.removeSandbox(sandbox);
      for (const name of await has()) await engine.removeImage(refOf(name));
    });

    it('makes one sandbox of a name, and leaves it alone when another is asked for', async () => {
      await expect(engine.createSandbox(specOf(session))).rejects.toMatchObject({ code: 'sandbox_exists' });
      expect(await engine.inspectSandbox(id)).toMatchObject({ running: true });
    });

    it('says what went wrong in a build', async () => {
      const context = pack();
      context.entry({ name: 'Dockerfile' }, 'FROM scratch\nCOPY missing /\n');
      context.finalize();
      const build = engine.buildImage(`ballast/${host}:broken`, Readable.from(context as AsyncIterable<Buffer>), {
        labels: {},
        buildArgs: {},
        onProgress: () => undefined,
      });
      await expect(build).rejects.toMatchObject({
        code: 'engine_failed',
        message: expect.stringContaining('missing') as string,
      });
    });
  });
}
