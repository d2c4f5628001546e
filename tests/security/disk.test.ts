import { mkdtempSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventMessage } from '../../sandbox-server/protocol/index.ts';
import { runProgram } from '../../sandbox-server/setup/run-program.ts';
import { openArena, type Arena } from '../helpers/attack.ts';
import { OwnEngine, whyNoOwnEngine } from '../helpers/own-engine.ts';
import { prepareBase, type Base } from '../helpers/server.ts';
import { openEvents, openTerminal, untilReady } from '../helpers/socket.ts';

const mebibyte = 1024 * 1024;
const diskBytes = 200 * mebibyte;
const reserveBytes = 200 * mebibyte;
const reason = whyNoOwnEngine();
if (reason !== null) process.stderr.write(`\n!!! attacks on the disk are skipped, because ${reason}\n\n`);

let home: string;
let own: OwnEngine | undefined;
let base: Base;
let arena: Arena;

// An engine with a small disk of its own: what is filled here is felt by nobody else, nor are others felt here.
beforeAll(async () => {
  if (reason !== null) return;
  home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
  ({ own, base } = await OwnEngine.start(await prepareBase(home), 2048 * mebibyte));
  const limits = { sandbox: { diskBytes, diskFiles: 60_000 }, disk: { checkSeconds: 0.5, reserveBytes } };
  arena = await openArena({ ...limits, admission: { sandboxDiskBytes: 20 * mebibyte } }, base);
});
afterAll(async () => {
  if (reason !== null) return;
  await arena[Symbol.asyncDispose]();
  await own?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

/** A notice of the disk guard; that the engine was stopped and is started again is told as well. */
const isWarning = (message: EventMessage): boolean =>
  message.type === 'notice' && message.level === 'warning' && message.text.includes('Free some space');

/** Free bytes of the disk that the engine has its data on, the sandboxes' homes with it. */
async function free(): Promise<number> {
  const { bavail, bsize } = await statfs(own!.dataDir);
  return bavail * bsize;
}

describe.skipIf(reason !== null)('on a disk that learners fill', () => {
  test('a disk filled with bytes: the learner is told, frees space and goes on', async () => {
    const { server, attacker } = arena;
    using events = await openEvents(server, attacker.session, attacker.session.id);
    using terminal = await openTerminal(server, attacker.session);
    const before = await free();
    terminal.type('head -c 190M /dev/zero > big; while head -c 5M /dev/zero >> big; do sleep 0.1; done\r');
    await events.untilMessage('the notice', isWarning);
    await terminal.untilText('Free some space');
    await arena.othersAreWell();
    expect(before - (await free())).toBeLessThan(2 * diskBytes);
    terminal.type('\u0003rm -f big; echo fre""ed\r');
    await terminal.untilText('freed');
    await events.until('the all-clear', () =>
      events.messages.some((message) => message.type === 'notice' && message.level === 'info') ? true : undefined,
    );
    const again = await attacker.bash(
      'until docker run --rm debian:trixie-slim echo back 2> /dev/null; do sleep 0.2; done',
    );
    expect(again.stdout).toBe('back\n');
    expect(await server.session(attacker.session)).toMatchObject({ state: 'ready' });
  });

  test('a disk filled with empty files', async () => {
    const { server, attacker } = arena;
    using events = await openEvents(server, attacker.session, attacker.session.id);
    await attacker.bash(`mkdir -p many; perl -e 'for (1 .. 70_000) { open my $file, ">", "many/$_" or exit }'; true`);
    const notice = await events.untilMessage('the notice', isWarning);
    expect(notice).toMatchObject({ text: expect.stringContaining('files') as string });
    await arena.othersAreWell();
    expect((await attacker.bash('rm -rf many && echo gone')).stdout).toBe('gone\n');
  });

  test('a program that fills the disk and heeds no stop: the sandbox is ended, and can be restarted', async () => {
    const { base, server } = arena;
    const rogue = await arena.seat();
    using events = await openEvents(server, rogue.session, rogue.session.id);
    // It poses as a program that is spared.
    const filling = rogue
      .bash(
        `exec -a /usr/local/bin/ballast-terminal perl -e '$0 = "perl /usr/local/bin/ballast-terminal x"; my $size = 190 << 20; while (1) { open my $f, ">>", "big"; print $f "x" x $size; close $f; $size = 1 << 20; select undef, undef, undef, 0.3 }'`,
      )
      .catch(() => null);
    const failed = await events.until('the end of the sandbox', () => {
      const message = events.messages.findLast((candidate) => candidate.type === 'session');
      return message?.session.state === 'failed' ? message.session : undefined;
    });
    expect(failed.failure).toMatchObject({ code: 'disk_full' });
    await filling;
    await expect.poll(() => base.engine.inspectSandbox(rogue.containerId)).toBeNull();
    await arena.othersAreWell();
    // Restarted around its files, it has room to free space.
    const body = JSON.stringify({ files: 'keep' });
    const { token, id } = rogue.session;
    expect((await server.ask('POST', `/api/sessions/${id}/reset`, { token, body })).status).toBeLessThan(300);
    await untilReady(server, rogue.session);
    using terminal = await openTerminal(server, rogue.session);
    terminal.type('cd; ls big && rm -f big && echo fre""ed\r');
    await terminal.untilText('freed');
    expect(await server.session(rogue.session)).toMatchObject({ state: 'ready' });
  });

  test('the reserve of the host: whoever fills it is stopped, far below the own limit', async () => {
    const short = { disk: { checkSeconds: 0.5, reserveBytes: (await free()) - 200 * mebibyte } };
    await using other = await openArena({ ...short, admission: { sandboxDiskBytes: mebibyte } }, base);
    const { server, attacker } = other;
    using events = await openEvents(server, attacker.session, attacker.session.id);
    using terminal = await openTerminal(server, attacker.session);
    terminal.type('cd; while head -c 20M /dev/zero >> big; do sleep 0.1; done\r');
    const notice = await events.untilMessage('the notice', isWarning);
    expect(notice).toMatchObject({ text: expect.stringContaining('almost full') as string });
    const taken = Number((await attacker.bash('stat -c %s big')).stdout);
    expect(taken).toBeGreaterThan(mebibyte);
    expect(taken).toBeLessThan(base.config.sandbox.diskBytes / 2);
    await other.othersAreWell();
    expect((await attacker.bash('rm big && echo gone')).stdout).toBe('gone\n');
  });

  test('a disk without a free byte, filled by somebody else: nobody is let in, nobody is ended, and all goes on after', async () => {
    const { server, attacker } = arena;
    const filling = join(own!.dataDir, 'filling');
    await runProgram('sh', ['-c', 'head -c 100G /dev/zero > "$0" 2> /dev/null; true', filling]);
    try {
      expect(await free()).toBeLessThan(mebibyte);
      const refused = await server.ask('POST', '/api/sessions', { body: JSON.stringify({ lab: 'multi-stage-go' }) });
      expect(refused).toMatchObject({ status: 503, code: 'capacity' });
      expect(refused.bytes.toString()).toContain('disk');
      const write = await attacker.bash('head -c 1M /dev/zero > more');
      expect(write.stderr).toContain('No space left on device');
      using terminal = await openTerminal(server, attacker.session);
      terminal.type('echo still-$((40 + 2))\r');
      await terminal.untilText('still-42');
      expect(await server.session(attacker.session)).toMatchObject({ state: 'ready' });
    } finally {
      rmSync(filling);
    }
    await arena.othersAreWell();
    const next = await server.createSession();
    await untilReady(server, next);
  });
});
