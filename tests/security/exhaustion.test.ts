import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEvents, openTerminal } from '../helpers/socket.ts';
import { holding, openArena, type Arena } from '../helpers/attack.ts';

let arena: Arena;

beforeAll(async () => {
  arena = await openArena();
});
afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});

const attack = (script: string, meanwhile = (): Promise<void> => arena.othersAreWell()): Promise<string> =>
  holding(arena.base, arena.attacker, script, meanwhile);

/** The attacker's own sandbox is of use again, too. */
async function recovers(): Promise<void> {
  const script = 'until docker run --rm debian:trixie-slim echo back 2> /dev/null; do sleep 0.2; done';
  expect((await arena.attacker.bash(script)).stdout).toBe('back\n');
}

describe('from a shell', () => {
  test('a fork bomb', async () => {
    const bomb = `exec /usr/bin/perl -MErrno -e '
      my @children;
      while (defined(my $pid = fork)) { if (!$pid) { sleep 120; exit } push @children, $pid }
      $| = 1; print scalar(@children), " ", $!{EAGAIN} ? "EAGAIN" : $!, "\\nholding\\n"; <STDIN>; kill KILL => @children'`;
    const [count, error] = (await attack(bomb)).trim().split(' ');
    expect(error).toBe('EAGAIN');
    expect(Number(count)).toBeLessThan(arena.base.config.sandbox.pids);
    await recovers();
  });

  test('a memory bomb', async () => {
    const bomb = await arena.attacker.bash(`perl -e 'my @kept; while (1) { push @kept, "x" x (16 << 20) }'; echo $?`);
    expect(bomb.stdout).toBe('137\n');
    await arena.othersAreWell();
    await recovers();
  });

  test('memory through files in /dev/shm', async () => {
    const filled = await arena.attacker.bash('head -c 1G /dev/zero > /dev/shm/x; stat -c %s /dev/shm/x; rm /dev/shm/x');
    expect(Number(filled.stdout)).toBeLessThanOrEqual(64 * 1024 * 1024);
    await arena.othersAreWell();
  });

  test('file descriptors', async () => {
    const grab = `exec /usr/bin/perl -MErrno -e '
      my (@files, @children); pipe my $in, my $out;
      for (1 .. 100) {
        my $pid = fork; if ($pid) { push @children, $pid; next }
        while (open my $file, "<", "/dev/null") { push @files, $file }
        syswrite $out, sprintf "%8d%8s", scalar @files, $!{EMFILE} ? "EMFILE" : "other"; sleep 120; exit }
      my %errors; my $most = 0;
      for (@children) { sysread $in, my $said, 16; my ($count, $error) = split " ", $said; $errors{$error} = 1; $most = $count if $count > $most }
      $| = 1; print "$most @{[keys %errors]}\\nholding\\n"; <STDIN>; kill KILL => @children'`;
    const [most, errors] = (await attack(grab)).trim().split(' ');
    expect(errors).toBe('EMFILE');
    expect(Number(most)).toBeLessThanOrEqual(2048);
    await recovers();
  });

  test('what the kernel counts by user: keys, inotify', async () => {
    // Every learner is the same user of the host: what is used up here, the others would miss.
    const grab = `exec /usr/bin/perl -MPOSIX -e '
      my ($init, $keyctl) = (POSIX::uname())[4] eq "aarch64" ? (26, 219) : (294, 250);
      my $count = 0; ++$count while $count < 100_000 && syscall($init, 0) >= 0;
      my @children;
      for (1 .. 300) {
        my $pid = fork; if ($pid) { push @children, $pid; next }
        syscall($keyctl, 1, 0, 0, 0, 0); sleep 120; exit }
      $| = 1; print "$count\\nholding\\n"; <STDIN>; kill KILL => @children'`;
    const { server, neighbour } = arena;
    const taken = await attack(grab, async () => {
      await arena.othersAreWell();
      // The neighbour's page is still told of changed files.
      using events = await openEvents(server, neighbour.session, neighbour.session.id);
      const told = async (): Promise<boolean> => {
        await neighbour.bash('date +%N > multi-stage-go/changed');
        return events.messages.some((message) => message.type === 'files');
      };
      await expect.poll(told, { timeout: 20_000, interval: 200 }).toBe(true);
    });
    expect(Number(taken)).toBeGreaterThan(0);
    await recovers();
  });

  test('huge terminal output', async () => {
    const { server, attacker } = arena;
    using terminal = await openTerminal(server, attacker.session);
    terminal.acknowledging = false;
    const before = process.memoryUsage().rss;
    terminal.type('yes "$(head -c 4000 /dev/zero | tr "\\0" x)"\r');
    await terminal.until('output', () => (terminal.bytes > 256 * 1024 ? true : undefined));
    await arena.othersAreWell();
    expect(terminal.bytes).toBeLessThan(4 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
    terminal.acknowledging = true;
    terminal.acknowledge();
    terminal.type('\u0003');
  });

  test('a whole disk in an instant, by fallocate', async () => {
    const taken = await arena.attacker.bash(
      'fallocate -l 20G big; stat -c %b big; truncate -s 20G sparse; fallocate -z -l 1G sparse; stat -c %b sparse; rm -f big sparse',
      30_000,
    );
    expect(taken.stdout).toBe('0\n0\n');
    await arena.othersAreWell();
  });

  test('core files', async () => {
    expect(
      (await arena.attacker.bash('ulimit -Hc; sh -c "kill -SEGV \\$\\$"; ls core* 2> /dev/null; true')).stdout,
    ).toBe('0\n');
  });
});
