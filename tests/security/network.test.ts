import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holding, openArena, type Arena } from '../helpers/attack.ts';

let arena: Arena;
const listener = createServer((socket) => socket.end('reached'));

beforeAll(async () => {
  arena = await openArena();
  listener.listen(0, '0.0.0.0');
  await once(listener, 'listening');
});
afterAll(async () => {
  listener.close();
  await arena[Symbol.asyncDispose]();
});

/** Prints which of the targets, host:port, take a connection. */
const dial = (targets: readonly string[]): string =>
  `/usr/bin/perl -MIO::Socket::INET -e 'for (@ARGV) { print "$_\\n" if IO::Socket::INET->new(PeerAddr => $_, Timeout => 1) }' ${targets.join(' ')}`;

const networks = ['--network=host', '--network=bridge'];

async function reachable(targets: readonly string[]): Promise<string> {
  const { attacker } = arena;
  const said = [await attacker.bash(dial(targets), 120_000)];
  for (const network of networks) said.push(await attacker.inContainer(dial(targets), [network, '--cap-add=ALL']));
  for (const result of said) expect(result, result.stderr).toMatchObject({ exitCode: 0 });
  return said.map(({ stdout }) => stdout).join('');
}

test("the server's and the host's ports, at every address of the host", async () => {
  const ports = [arena.server.port, (listener.address() as AddressInfo).port];
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const hosts = new Set([
    '127.0.0.1',
    '172.17.0.1',
    '10.0.2.2',
    '10.0.2.3',
    ...own.filter(({ family }) => family === 'IPv4').map(({ address }) => address),
  ]);
  expect(hosts.size).toBeGreaterThanOrEqual(4);
  const targets = [...hosts].flatMap((host) => ports.map((port) => `${host}:${String(port)}`));
  expect(await reachable(targets)).toBe('');
  await arena.othersAreWell();
});

test('cloud metadata, name servers and the world', async () => {
  expect(
    await reachable(['169.254.169.254:80', '169.254.170.2:80', '100.100.100.200:80', '1.1.1.1:53', '8.8.8.8:53']),
  ).toBe('');
  expect((await arena.attacker.bash('getent hosts debian.org; true')).stdout).toBe('');
  await arena.othersAreWell();
});

test("another sandbox: its ports, its abstract sockets, its engine's socket", async () => {
  const listen = `/usr/bin/perl -MIO::Socket::INET -MSocket -e '
    my $tcp = IO::Socket::INET->new(LocalAddr => "0.0.0.0:7777", Listen => 5, ReuseAddr => 1) or die;
    socket my $unix, AF_UNIX, SOCK_STREAM, 0; bind $unix, pack_sockaddr_un("\\0neighbour") or die; listen $unix, 5;
    $| = 1; print "holding\\n"; <STDIN>'`;
  await holding(arena.base, arena.neighbour, listen, async () => {
    expect((await arena.neighbour.bash(dial(['127.0.0.1:7777']))).stdout).toBe('127.0.0.1:7777\n');
    expect(await reachable(['127.0.0.1:7777', '172.17.0.1:7777', '10.0.2.15:7777'])).toBe('');
    const sockets = `grep -c neighbour /proc/net/unix; ls /proc/[0-9]*/root/run/user/1000/docker.sock 2> /dev/null | wc -l; true`;
    const [abstract] = (await arena.attacker.bash(sockets)).stdout.split('\n');
    expect(abstract).toBe('0');
    await arena.othersAreWell();
  });
});

test('devices for networks: tun, packet sockets, moving to another network namespace', async () => {
  // CLONE_NEWNET by its own; the learner gets a namespace of its own making, with nothing in it.
  const attempts = `
    ip tuntap add dev tap9 mode tap && echo MADE
    ip link add link lo name v9 type macvlan && echo MADE
    perl -MSocket -e 'socket my $s, 17, 3, 0 and print "PACKET\\n"'
    true`;
  expect((await arena.attacker.bash(`{ ${attempts} } 2> /dev/null`)).stdout).toBe('');
  expect(
    (await arena.attacker.bash('unshare --user --map-root-user --net ls /sys/class/net; cat /proc/net/dev | grep -c :'))
      .stdout,
  ).toMatch(/^lo\n1\n$/);
  await arena.othersAreWell();
});
