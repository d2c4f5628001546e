import { randomBytes } from 'node:crypto';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import { readSandbox, usedUpBetween } from '../../sandbox-server/checks/sandbox-reading.ts';
import type { RunResult, SandboxShell } from '../../sandbox-server/checks/sandbox-shell.ts';
import { loadConfig } from '../../sandbox-server/config.ts';
import type { SandboxSpec } from '../../sandbox-server/engines/engine.ts';
import { startSandbox } from '../../sandbox-server/sessions/start-sandbox.ts';
import { prepareBase, type Base } from '../helpers/server.ts';

const host = `sandbox-test-${randomBytes(4).toString('hex')}`;
const mebibyte = 1024 * 1024;
const limits = { memoryBytes: 1536 * mebibyte, cpus: 1.5, pids: 700 };

let base: Base;
let id: string;
let shell: SandboxShell;
const session = randomBytes(10).toString('hex');

const specOf = (name: string, env: Readonly<Record<string, string>> = {}): SandboxSpec => ({
  session: name,
  kind: 'sandbox',
  host,
  image: base.prepared.image,
  storeVolume: base.prepared.store.volume,
  limits,
  network: 'none',
  hostname: 'sandbox',
  env,
});

/** Runs a constant script with bash in the sandbox; a failing command fails the test. */
async function bash(script: string): Promise<string> {
  const result: RunResult = await shell.run(['/bin/bash', '-euc', script], {
    cwd: '/home/learner',
    timeoutMs: 120_000,
  });
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
  return result.stdout;
}

beforeAll(async () => {
  base = await prepareBase(loadConfig().home);
  ({ id } = await startSandbox(base.engine, specOf(session), { timeoutMs: 60_000 }));
  shell = createEngineShell(base.engine, id);
});

afterAll(async () => {
  const { engine } = base;
  for (const left of await engine.listSandboxes({ 'ballast.host': host })) await engine.removeSandbox(left.id);
  expect(await engine.listSandboxes({ 'ballast.host': host })).toEqual([]);
  expect(await engine.listVolumes({ 'ballast.host': host })).toEqual([]);
});

describe('a sandbox, as docker inspect shows it', () => {
  it('has no privileges, no network and limits', async () => {
    const { HostConfig: config, Mounts: mounts, Config } = await new Docker().getContainer(id).inspect();
    expect(config.Privileged).toBe(false);
    expect(config.CapDrop).toEqual(['ALL']);
    expect((config.CapAdd as string[]).map((name) => name.replace(/^CAP_/, '')).sort()).toEqual(['SETGID', 'SETUID']);
    expect(config.NetworkMode).toBe('none');
    expect(config.Memory).toBe(limits.memoryBytes);
    expect(config.MemorySwap).toBe(limits.memoryBytes);
    expect(config.NanoCpus).toBe(1.5e9);
    expect(config.PidsLimit).toBe(700);
    expect(config.PidMode).toBe('');
    expect(config.IpcMode).not.toBe('host');
    expect(config.LogConfig).toMatchObject({ Config: { 'max-size': '1m' } });
    expect(Config.Labels).toMatchObject({
      'ballast.kind': 'sandbox',
      'ballast.session': session,
      'ballast.host': host,
    });

    const seccomp = (config.SecurityOpt as string[]).find((option) => option.startsWith('seccomp='));
    expect(JSON.parse(seccomp!.slice('seccomp='.length))).toMatchObject({ defaultAction: 'SCMP_ACT_ERRNO' });
    expect(config.Binds ?? []).toEqual([]);
    expect(mounts.map(({ Type }) => Type as string)).toEqual(['volume', 'volume']);
    const store = mounts.find(({ Destination }) => Destination === '/var/lib/ballast/store');
    expect(store).toMatchObject({ RW: false });
    expect(JSON.stringify(mounts)).not.toContain('docker.sock');
  });

  it('runs everything of the learner without capabilities, under the filter', async () => {
    const status = await bash('cat /proc/self/status');
    expect(status).toMatch(/^CapEff:\s+0+$/m);
    // CAP_SETGID (6) and CAP_SETUID (7).
    expect(status).toMatch(/^CapBnd:\s+0+c0$/m);
    expect(status).toMatch(/^Seccomp:\s+2$/m);
    expect(await bash('id -un')).toBe('learner\n');
    const refused = await bash(
      'perl -e \'for (321, 298, 425, 323) { syscall($_, 0, 0, 0, 0) == -1 or exit 1 } print "refused"\'',
    );
    expect(refused).toBe('refused');
  });

  it('has no setuid programs, and sees no devices but its own', async () => {
    expect(await bash('find / -xdev -perm /6000 -type f 2> /dev/null || true')).toBe('');
    expect(await bash('ls /sys/class/net')).toBe('lo\n');
  });
});

describe('the engine in a sandbox', () => {
  it('has every base image of the labs, and takes no disk for them', async () => {
    const listed = (await bash("docker images --format '{{.Repository}}:{{.Tag}}'")).trim().split('\n').sort();
    expect(listed).toEqual(base.prepared.store.images.map(({ ref }) => ref).sort());
    expect(Number((await bash('du -sm ~ 2> /dev/null | cut -f1')).trim())).toBeLessThan(20);
    for (const image of base.prepared.store.images) {
      expect(image.sizeBytes).toBeGreaterThan(mebibyte);
      const inspected = await shell.run(['/usr/bin/docker', 'image', 'inspect', '--format', '{{.Id}}', image.ref]);
      expect(inspected.stdout.trim()).toBe(image.digest);
    }
  });

  it('saves every base image before anything has used it', async () => {
    for (const { ref, sizeBytes } of base.prepared.store.images) {
      const saved = await shell.run(['/bin/bash', '-o', 'pipefail', '-c', 'docker save "$0" | wc -c', ref]);
      expect(saved, `${ref}: ${saved.stderr}`).toMatchObject({ exitCode: 0 });
      expect(Number(saved.stdout)).toBeGreaterThan(sizeBytes);
    }
  });

  it('starts containers with one sealed copy of runc, not one for each', async () => {
    const getSeals = 1034; // F_GET_SEALS of fcntl(2)
    const seals = `perl -e 'open my $runc, "<", "$ENV{XDG_RUNTIME_DIR}/sealed/runc" or die $!; print fcntl $runc, ${getSeals}, 0'`;
    const all = 15; // the four that runc wants before it trusts a copy
    expect(await bash(seals)).toBe(String(all));
    const found = `PATH=$(tr '\\0' '\\n' < /proc/$(pgrep -x containerd)/environ | sed -n 's/^PATH=//p') && command -v runc`;
    expect(await bash(found)).toBe('/run/user/1000/sealed/runc\n');
    // One that were not found, or not to be executed, would leave the engine without a runtime.
    expect(await bash('docker run --rm debian:trixie-slim echo started')).toBe('started\n');
  });

  it('builds, runs, executes in and stops containers', async () => {
    await bash(`
      mkdir -p build && cd build
      printf 'FROM debian:trixie-slim\\nRUN echo made > /made && id -u > /uid\\nCMD ["sleep", "1000"]\\n' > Dockerfile
      docker build -q -t made .
    `);
    expect(await bash('docker run --rm made cat /made /uid')).toBe('made\n0\n');
    await bash('docker run -d --name stays --init --memory 64m --read-only --user 65532 made');
    expect(await bash('docker exec stays id -u')).toBe('65532\n');
    await bash('docker stop -t 5 stays && docker rm stays');
  });

  it('shows a published port at localhost', async () => {
    const server =
      'use IO::Socket; $s = IO::Socket::INET->new(LocalPort => 80, Listen => 5) or die; ' +
      'while ($c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nreached\\n"; close $c }';
    const started = await shell.run([
      '/usr/bin/docker',
      'run',
      '-d',
      '--name',
      'web',
      '-p',
      '8080:80',
      'debian:trixie-slim',
      'perl',
      '-e',
      server,
    ]);
    expect(started).toMatchObject({ exitCode: 0 });
    const fetch = 'curl -s --max-time 5 --retry 20 --retry-connrefused --retry-delay 0 --retry-all-errors';
    expect(await bash(`${fetch} http://localhost:8080/`)).toBe('reached\n');
    expect(await bash(`${fetch} http://127.0.0.1:8080/`)).toBe('reached\n');
    await bash('docker rm -f web');
  });

  it('saves and removes base images without touching the store', async () => {
    const print = "cd /var/lib/ballast/store && find . -printf '%p %s %m %u %T@\\n' 2> /dev/null | sort | sha256sum";
    const before = await bash(print);
    expect(Number(await bash('docker save debian:trixie-slim | wc -c'))).toBeGreaterThan(10 * mebibyte);
    await bash('docker image rm --force debian:trixie-slim made');
    const left = await bash("docker images --format '{{.Repository}}:{{.Tag}}'");
    expect(left.split('\n')).not.toContain('debian:trixie-slim');
    expect(await bash(print)).toBe(before);
    const touched = await shell.run(['/bin/touch', '/var/lib/ballast/store/touched']);
    expect(touched.exitCode).not.toBe(0);
  });

  it('says at once that an image it does not have cannot be fetched', async () => {
    const started = performance.now();
    const result = await shell.run(['/usr/bin/docker', 'pull', 'no-such-image:none']);
    expect(result.exitCode).not.toBe(0);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it.each(['dockerd', 'containerd', 'rootlesskit'])('comes back after %s is killed', async (name) => {
    await bash(`pkill -KILL -x ${name}`);
    const version = 'until docker version --format "{{.Server.Version}}" 2> /dev/null; do sleep 0.1; done';
    // It answers a moment longer when only what holds its namespaces was killed.
    await bash('sleep 1.5');
    expect(await bash(version)).toMatch(/\d/);
    expect(await bash('docker run --rm golang:1.24 go version')).toContain('go1.24');
  });
});

describe('terminals', () => {
  const size = { cols: 90, rows: 25 };

  interface View {
    /** The last of what it showed. */
    readonly text: () => string;
    readonly bytes: () => number;
    readonly type: (keys: string) => void;
    readonly shows: (pattern: RegExp) => Promise<void>;
    readonly exitCode: () => Promise<number>;
    readonly pause: () => void;
    readonly resume: () => void;
  }

  async function view(name: string): Promise<View> {
    const argv = ['/usr/local/bin/ballast-terminal', name, '/home/learner'];
    const exec = await base.engine.execTerminal(id, { argv }, size);
    let text = '';
    let bytes = 0;
    exec.stream.setEncoding('utf8');
    exec.stream.on('data', (chunk: string) => {
      text = (text + chunk).slice(-64 * 1024);
      bytes += chunk.length;
    });
    return {
      text: () => text,
      bytes: () => bytes,
      type: (keys) => exec.stream.write(keys),
      shows: (pattern) => expect.poll(() => text, { timeout: 20_000 }).toMatch(pattern),
      exitCode: () => exec.exitCode(),
      pause: () => exec.stream.pause(),
      resume: () => exec.stream.resume(),
    };
  }

  const command = async (...rest: string[]): Promise<RunResult> =>
    shell.run(['/usr/local/bin/ballast-terminal', ...rest]);
  const detach = '\u001b[5099~';

  it('outlive their view, and replay every line to the next', async () => {
    expect((await command('--history', 'lives')).exitCode).toBe(1);
    const first = await view('lives');
    first.type('mark=still; seq 1 300; stty size\r');
    await first.shows(/300\r\n25 90\r\n/);
    first.type(detach);
    expect(await first.exitCode()).toBe(0);
    expect((await command('--history', 'lives')).exitCode).toBe(0);
    expect((await command('--list')).stdout).toBe('lives\n');

    const second = await view('lives');
    await second.shows(/\r1\r\n2\r\n3\r\n[^]*\r\n299\r\n300\r\n/);
    second.type('echo $mark-here; exit 7\r');
    await second.shows(/still-here/);
    expect(await second.exitCode()).toBe(7);
    expect((await command('--list')).stdout).toBe('');
  });

  it('complete commands and their arguments from the first Tab on', async () => {
    const typed = await view('completes');
    await typed.shows(/\$ $/);
    // Two subcommands begin so, and one of them alone with the next letter.
    typed.type('docker buil\t\t');
    await typed.shows(/build[^]*builder/);
    typed.type('der pru\t');
    await typed.shows(/builder prune $/);
    typed.type('\u0015exit 0\r');
    expect(await typed.exitCode()).toBe(0);
  });

  it('show the same to two views, and end with their programs when killed', async () => {
    const [one, two] = [await view('shared'), await view('shared')];
    one.type('sleep 1234 & echo to-both\r');
    await Promise.all([one.shows(/\nto-both/), two.shows(/\nto-both/)]);
    await command('--kill', 'shared');
    expect(await one.exitCode()).toBe(await two.exitCode());
    expect((await shell.run(['/usr/bin/pgrep', '-f', 'slee[p] 1234'])).exitCode).toBe(1);
  });

  it('make a program wait for a view that reads nothing, until another comes', async () => {
    const slow = await view('flood');
    await slow.shows(/\$ $/);
    slow.pause();
    slow.type('for n in $(seq 20); do seq 1 100000; echo $n > /tmp/flood; done; echo all-done\r');
    const progress = async (): Promise<number> => Number((await shell.run(['/bin/cat', '/tmp/flood'])).stdout);
    await expect.poll(progress, { timeout: 20_000 }).toBeGreaterThan(0);
    let last = -1;
    await expect
      .poll(
        async () => {
          const before = last;
          last = await progress();
          return last === before;
        },
        { interval: 500 },
      )
      .toBe(true);
    expect(last).toBeLessThan(20);
    const next = await view('flood');
    await next.shows(/\nall-done/);
    next.type('exit\r');
    slow.resume();
    expect(await next.exitCode()).toBe(0);
    // The slow one was let go and gets a replay when it reads again: not everything, and not for ever.
    expect(await slow.exitCode()).toBe(0);
    expect(slow.bytes()).toBeLessThan(8 * mebibyte);
  });

  it('pass Ctrl-C while output floods', async () => {
    const flooded = await view('yes');
    flooded.type('yes\r');
    await flooded.shows(/y\r\ny\r\n/);
    flooded.type('\u0003');
    await flooded.shows(/\^C/);
    flooded.type('exit 0\r');
    expect(await flooded.exitCode()).toBeDefined();
  });

  it('do not replay questions to the terminal, whose answers would be typed', async () => {
    const asking = await view('asks');
    asking.type("printf 'A\\e[cB\\e[6nC\\e]11;?\\aD\\n'\r");
    await asking.shows(/\rA[^']*D\r\n/);
    const next = await view('asks');
    await next.shows(/\rABCD\r\n/);
    next.type('exit\r');
    await next.exitCode();
  });
});

describe('ballast-watch', () => {
  it('names each change, whatever the name', async () => {
    const exec = await base.engine.exec(id, { argv: ['/usr/local/bin/ballast-watch', '/home/learner/watched'] });
    let text = '';
    exec.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    exec.stderr.resume();
    await exec.exitCode();
    expect(text).toBe('');
    await bash('mkdir -p watched');
    const watch = await base.engine.exec(id, { argv: ['/usr/local/bin/ballast-watch', '/home/learner/watched'] });
    watch.stderr.resume();
    watch.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    const paths = (): unknown[] =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as unknown);
    await expect
      .poll(async () => {
        await bash('touch watched/$\'new\\nline "quoted"\'');
        return paths();
      })
      .toContain('new\nline "quoted"');
    watch.destroy();
  });
});

describe("the kernel's counters of a sandbox", () => {
  it('tell that it used up its own memory', async () => {
    const spec = { ...specOf(randomBytes(10).toString('hex')), limits: { ...limits, memoryBytes: 512 * mebibyte } };
    const made = await startSandbox(base.engine, spec, { timeoutMs: 30_000 });
    const greedy = createEngineShell(base.engine, made.id);
    const before = await readSandbox(greedy);
    expect(before).toMatchObject({ oomKills: 0 });
    const { exitCode } = await greedy.run(['/usr/bin/tail', '/dev/zero'], { timeoutMs: 60_000 });
    expect(exitCode).toBe(137);
    const after = await readSandbox(greedy);
    expect(usedUpBetween(before!, after!)).toMatchObject({ memory: true, hostMemory: false });
    await base.engine.removeSandbox(made.id);
  });
});

describe('startSandbox', () => {
  it('reports one that fails, with its last words, and removes it', async () => {
    const name = randomBytes(10).toString('hex');
    const stages: string[] = [];
    const failing = startSandbox(base.engine, specOf(name, { PATH: '/nowhere' }), {
      timeoutMs: 30_000,
      onStage: ({ text }) => stages.push(text),
    });
    await expect(failing).rejects.toMatchObject({
      code: 'sandbox_failed',
      message: expect.stringMatching(/last words[^]*chmod/) as string,
    });
    expect(stages).toContain('Preparing the sandbox');
    expect(await base.engine.listSandboxes({ 'ballast.session': name })).toEqual([]);
    expect(await base.engine.listVolumes({ 'ballast.session': name })).toEqual([]);
  });

  it('gives up after its time, and when told to', async () => {
    const name = randomBytes(10).toString('hex');
    const late = startSandbox(base.engine, specOf(name), { timeoutMs: 1 });
    await expect(late).rejects.toMatchObject({
      code: 'sandbox_failed',
      message: expect.stringContaining('not ready after') as string,
    });
    const cancelled = startSandbox(base.engine, specOf(name), { timeoutMs: 30_000, signal: AbortSignal.abort() });
    await expect(cancelled).rejects.toMatchObject({
      code: 'sandbox_failed',
      message: expect.stringContaining('cancelled') as string,
    });
    expect(await base.engine.listSandboxes({ 'ballast.session': name })).toEqual([]);
  });

  it('is ready, with every base image, in a few seconds', async () => {
    const seconds: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const started = performance.now();
      const made = await startSandbox(base.engine, specOf(randomBytes(10).toString('hex')), { timeoutMs: 30_000 });
      const listed = await createEngineShell(base.engine, made.id).run(['/usr/bin/docker', 'images', '-q']);
      seconds.push((performance.now() - started) / 1000);
      expect(listed.stdout.trim().split('\n')).toHaveLength(base.prepared.store.images.length);
      await base.engine.removeSandbox(made.id);
    }
    const median = seconds.toSorted((a, b) => a - b)[2]!;
    process.stderr.write(`sandbox created to images listed, median of five: ${median.toFixed(2)} s\n`);
    expect(median).toBeLessThan(5);
  });
});
