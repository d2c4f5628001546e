import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gatewaySchema } from '../../sandbox-server/gateway/settings.ts';
import { openPackagesServer, type PackagesSeat } from '../helpers/gateway.ts';
import { prepareBase } from '../helpers/server.ts';
import { openEvents } from '../helpers/socket.ts';

const message = 'this sandbox may only reach package registries';
const home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));

/** A host of this machine that must not be reached; the way in that a test finds counts. */
let reached = 0;
const target = createServer((_request, response) => {
  reached += 1;
  response.end('REACHED');
});
/** A registry that is one: what it says is up to the path. */
const registry = createServer((request, response) => {
  if (request.url === '/moved')
    response.writeHead(302, { location: `http://127.0.0.1:${String(portOf(target))}/` }).end();
  else response.end('package');
});

const portOf = (server: typeof target): number => (server.address() as AddressInfo).port;

let opened: Awaited<ReturnType<typeof openPackagesServer>>;
let attacker: PackagesSeat;
let neighbour: PackagesSeat;

beforeAll(async () => {
  for (const server of [target, registry]) {
    server.listen(0, '0.0.0.0');
    await once(server, 'listening');
  }
  const gateway = gatewaySchema.parse({
    fromClients: false,
    allow: [
      // Nobody has a name under .test (RFC 6761): what would be let through to it fails, and reaches nothing.
      'registry.test',
      { host: `localhost:${String(portOf(registry))}`, internal: true },
      `localhost:${String(portOf(target))}`,
    ],
    connections: 16,
  });
  opened = await openPackagesServer(await prepareBase(home), { gateway });
  attacker = await opened.seat();
  neighbour = await opened.seat();
});

afterAll(async () => {
  await opened.close();
  for (const server of [target, registry]) server.close();
  rmSync(home, { recursive: true, force: true });
});

/** PLACE and PORT stand for the host that must not be reached, REGISTRY for the one that may. */
const filled = (script: string): string =>
  script
    .replaceAll('PLACE', `127.0.0.1:${String(portOf(target))}`)
    .replaceAll('PORT', String(portOf(target)))
    .replaceAll('REGISTRY', `localhost:${String(portOf(registry))}`);

const curl = (args: string): string => `curl --silent --show-error --fail --max-time 20 ${args}`;
/** Bytes of one's own to the gateway, as a build reaches it; prints what comes back. */
const raw = (bytes: string): string =>
  String.raw`address=${'${HTTP_PROXY#http://}'}; exec 3<> "/dev/tcp/${'${address%:*}/${address#*:}'}"; printf '${bytes}' >&3; timeout 20 cat <&3`;

async function othersAreWell(): Promise<void> {
  const fetched = await neighbour.bash(
    filled(`. ~/.bashrc; . $XDG_RUNTIME_DIR/gateway/environment; NO_PROXY= no_proxy= ${curl('http://REGISTRY/')}`),
  );
  expect(fetched, fetched.stderr).toMatchObject({ exitCode: 0, stdout: 'package' });
  expect((await opened.server.ask('GET', '/api/health')).json).toMatchObject({ status: 'ok' });
}

const build = (script: string): ReturnType<PackagesSeat['build']> =>
  attacker.build({
    Dockerfile: 'FROM golang:1.24\nCOPY attack .\nRUN bash attack; exit 9\n',
    // Addresses that the gateway would not be asked for are asked of it here.
    attack: `unset NO_PROXY no_proxy\n${filled(script)}\n`,
  });

test('a build in a lab with packages gets through to a registry', async () => {
  const { output } = await build(`${curl('http://REGISTRY/')}; ls -A /dev/ballast`);
  expect(output).toContain('package');
  expect(output).not.toContain(message);
});

// Each from a step of a build, which fails and says why.
test.each([
  ['packages: another host by name', curl('http://example.test/')],
  ['packages: another host by name, over TLS', curl('https://example.test/')],
  ['packages: a name that ends like a registry', curl('https://registry.test.example.test/')],
  ['packages: a password before the host', curl('http://registry.test@example.test/')],
  ['packages: ports of the host, by address', curl('http://PLACE/')],
  ['packages: ports of the host, by a name that is allowed but leads to them', curl('http://localhost:PORT/')],
  ['packages: the gateway of a bridge', curl('http://172.17.0.1:PORT/')],
  ['packages: cloud metadata', curl('http://169.254.169.254/latest/meta-data/')],
  ['packages: an address in decimal', curl('http://2130706433:PORT/')],
  ['packages: an address in octal', curl('http://0177.0.0.1:PORT/')],
  ['packages: an address in hexadecimal', curl('http://0x7f000001:PORT/')],
  ['packages: IPv6', curl("--globoff 'http://[::1]:PORT/'")],
  ['packages: IPv4 in IPv6', curl("--globoff 'http://[::ffff:127.0.0.1]:PORT/'")],
  ['packages: mail, through a tunnel to a registry', curl('--proxytunnel http://registry.test:25/')],
  ['packages: SSH, through a tunnel to a registry', curl('--proxytunnel http://registry.test:22/')],
  [
    'packages: other words than TLS through a tunnel',
    raw(String.raw`CONNECT registry.test:443 HTTP/1.1\r\nHost: registry.test:443\r\n\r\nSSH-2.0-x\r\n`),
  ],
  [
    'packages: another name in the TLS handshake',
    curl('--insecure --connect-to ::registry.test:443 https://example.test/'),
  ],
  [
    'packages: another Host inside of a tunnel',
    curl("--insecure --header 'Host: example.test' https://registry.test/"),
  ],
  ['packages: publishing with POST', curl('--insecure --data secret https://registry.test/')],
  ['packages: publishing with PUT', curl('--request PUT --data secret http://REGISTRY/package')],
  ['packages: data in the body of a GET', curl('--request GET --data secret http://REGISTRY/package')],
  ['packages: two hosts in one request', curl("--header 'Host: example.test' http://REGISTRY/")],
  [
    'packages: two lengths in one request',
    raw(
      String.raw`GET http://registry.test/ HTTP/1.1\r\nHost: registry.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET http://PLACE/ HTTP/1.1\r\nHost: PLACE\r\n\r\n`,
    ),
  ],
  ['packages: a redirect of a registry to a private address', curl('--location http://REGISTRY/moved')],
  [
    'packages: a head without end',
    curl('--header "X: $(head -c 40000 /dev/zero | tr \'\\0\' x)" http://registry.test/'),
  ],
] as const)('%s', async (_name, script) => {
  const { exitCode, output } = await build(script);
  expect(exitCode, output).not.toBe(0);
  expect(output.toLowerCase()).toContain(message);
  expect(output).not.toContain('REACHED');
  expect(reached).toBe(0);
});

/** Prints what could be reached: it has no proxy for these. */
const direct = `/usr/bin/perl -MIO::Socket::INET -e '
  for (qw(1.1.1.1:53 8.8.8.8:443 172.17.0.1:PORT 10.0.2.2:PORT 169.254.169.254:80)) {
    print "REACHED $_\\n" if IO::Socket::INET->new(PeerAddr => $_, Timeout => 1);
  }
  my $dns = IO::Socket::INET->new(PeerAddr => q(8.8.8.8:53), Proto => q(udp)) or exit;
  send $dns, pack(q(n6), 1, 256, 1, 0, 0, 0) . "\\x07example\\x04test\\0" . pack(q(n2), 1, 1), 0;
  local $SIG{ALRM} = sub { exit };
  alarm 1;
  print "REACHED dns\\n" if defined recv $dns, my $answer, 512, 0;'`;

test.each([
  ['packages: past the gateway, by TCP and by DNS', direct],
  ['packages: names, which nobody answers for', 'getent hosts example.com && echo REACHED'],
  [
    'packages: ICMP',
    `/usr/bin/perl -MSocket -e 'socket my $s, PF_INET, SOCK_DGRAM, 1 or exit; send $s, pack(q(C2n3), 8, 0, 0, 1, 1), 0, sockaddr_in(0, inet_aton(q(8.8.8.8))) or exit; alarm 1; $SIG{ALRM} = sub { exit }; print "REACHED\\n" if defined recv $s, my $a, 64, 0'`,
  ],
] as const)('%s', async (_name, script) => {
  for (const where of [
    filled(script),
    `docker run --rm golang:1.24 bash -c '${filled(script).replaceAll("'", "'\\''")}'`,
  ]) {
    const said = await attacker.bash(where);
    expect(said.stdout, said.stderr).not.toContain('REACHED');
  }
  expect(reached).toBe(0);
});

test("packages: another sandbox's way out", async () => {
  // It listens on addresses that are each sandbox's own, and on no file and no abstract socket.
  const said = await attacker.bash(
    `ip -brief address; cat /proc/net/unix | grep -c gateway; curl -sS --max-time 3 -x http://192.0.2.1:3128 http://example.test/`,
  );
  expect(said.stdout).toMatch(/^lo +UNKNOWN +127.0.0.1\/8[^\n]*\n0\n$/);
  expect(said.exitCode).not.toBe(0);
});

test('packages: a flood of connections, while others go on', async () => {
  const flood = `/usr/bin/perl -MIO::Socket::INET -e '
    my @open; for (1 .. 300) { my $s = IO::Socket::INET->new(PeerAddr => q(127.0.0.1:3128), Timeout => 1) or last; push @open, $s }
    $| = 1; print "open " . @open . "\\n"; print { $_ } "GET http://registry.test/ HTTP/1.1\\r\\n" for @open; sleep 3'`;
  const flooding = attacker.bash(flood);
  await othersAreWell();
  expect((await flooding).stdout).toMatch(/^open \d+/);
  await othersAreWell();
});

test('packages: words of its own to the server, in place of the relay', async () => {
  // All that a learner can do to the relay is to end it: its input and output are not theirs. It comes back.
  const killed = await attacker.bash(`pkill -KILL -f '[l]ib/ballast/relay'; echo $?`);
  expect(killed.stdout).toBe('0\n');
  await expect
    .poll(
      async () =>
        (await attacker.bash(filled(`NO_PROXY= ${curl('-x http://127.0.0.1:3128 http://REGISTRY/')}`))).stdout,
      { timeout: 30_000 },
    )
    .toBe('package');
  await othersAreWell();
});

test('packages: silence, but the page is told what was refused', async () => {
  const { session } = neighbour;
  using events = await openEvents(opened.server, session, session.id);
  await neighbour.bash('curl -sS -x http://127.0.0.1:3128 http://told.test/');
  const notice = await events.untilMessage(
    'the notice',
    (message) => message.type === 'notice' && message.text.includes('told.test'),
  );
  expect(notice).toMatchObject({
    level: 'warning',
    text: 'This sandbox may only reach package registries: told.test was refused (it is not one of them).',
  });
});

test('a lab without packages: the gateway is not there', async () => {
  const plain = await opened.seat('multi-stage-go');
  const said = await plain.bash(`
    ls $XDG_RUNTIME_DIR/gateway $XDG_RUNTIME_DIR/engine-bin ~/.docker 2> /dev/null
    bash -ic 'env' 2> /dev/null | grep -i proxy
    docker run --rm golang:1.24 sh -c 'env; ls -A /dev' | grep -iE 'proxy|ballast|cert'
    (echo > /dev/tcp/127.0.0.1/3128) 2> /dev/null && echo REACHED; true`);
  expect(said, said.stderr).toMatchObject({ exitCode: 0, stdout: '' });
});
