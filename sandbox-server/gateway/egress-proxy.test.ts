import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AllowList, Grants, type AllowedRegistry } from './allow-list.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { EgressProxy, type GatewayClient } from './egress-proxy.ts';
import { Quota } from './quota.ts';
import { refusalText, type Refusal } from './refusal.ts';
import { ResponseCache, type AnswerSource } from './response-cache.ts';
import { createUpstream } from './upstream.ts';

const folder = mkdtempSync(join(tmpdir(), 'ballast-gateway-'));
const limits = { bytes: 1e6, bytesPerSecond: 1e9, requestsPerMinute: 1000 };

/** Listens on a free port of 127.0.0.1. */
async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Of the registry: what it was asked for, and how it answers. */
let asked: IncomingMessage[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
/** A host that is no registry. */
let strays = 0;

const registry = createServer((request, response) => {
  asked.push(request);
  answer(request, response);
});
const stranger = createServer((_request, response) => {
  strays += 1;
  response.end('strange');
});

let authority: CertificateAuthority;
let registryPort: number;
let strangerPort: number;
let proxyPort: number;
let client: GatewayClient;
let refusals: Refusal[];
let sources: AnswerSource[];
const proxyServer = createTcpServer();
const upstream = createUpstream([], {});

const allow = (host: string, port: number | null, more: Partial<AllowedRegistry> = {}): AllowedRegistry => ({
  host,
  port,
  index: null,
  reach: 'any',
  from: 'test',
  authorization: null,
  ...more,
});

beforeAll(async () => {
  registryPort = await listen(registry);
  strangerPort = await listen(stranger);
  authority = await CertificateAuthority.open(folder);
  const proxy = new EgressProxy({
    allowList: new AllowList(
      [
        allow('localhost', registryPort, { index: 'pypi', authorization: 'Basic c2VjcmV0' }),
        allow('registry.test', null),
        // A name of the machine itself, which is not told to be internal.
        allow('localhost', strangerPort, { reach: 'public' }),
      ],
      [{ from: 'https://usual.test/index/', to: at('/mirror/') }],
    ),
    authority,
    cache: await ResponseCache.open(join(folder, 'cache'), 1e6),
    upstream,
    logger: pino({ level: 'silent' }),
  });
  proxyServer.on('connection', (socket) => {
    proxy.accept(socket, client);
  });
  proxyPort = await listen(proxyServer);
});

beforeEach(() => {
  asked = [];
  strays = 0;
  refusals = [];
  sources = [];
  answer = (_request, response) => response.end('package');
  client = {
    name: 'test',
    grants: new Grants(),
    quota: new Quota(limits),
    onRefused: (refusal) => refusals.push(refusal),
    onAnswer: (source) => sources.push(source),
  };
});

afterAll(() => {
  upstream.close();
  for (const server of [registry, stranger]) {
    server.closeAllConnections();
    server.close();
  }
  proxyServer.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes the bytes to the proxy, and reads until it closes. */
async function send(...parts: readonly string[]): Promise<string> {
  const socket: Socket = connect(proxyPort, '127.0.0.1');
  socket.write(parts.join('\r\n'));
  return text(socket);
}

const get = (url: string, ...headers: readonly string[]): Promise<string> =>
  send(`GET ${url} HTTP/1.1`, `Host: ${new URL(url).host}`, 'Connection: close', ...headers, '', '');
const at = (path: string): string => `http://localhost:${String(registryPort)}${path}`;

/** A request through a tunnel; resolves with what the proxy answers to the CONNECT, then inside. */
async function tunnel(place: string, servername: string, inside: string): Promise<string> {
  const socket = connect(proxyPort, '127.0.0.1');
  socket.write(`CONNECT ${place} HTTP/1.1\r\nHost: ${place}\r\n\r\n`);
  const [first] = (await once(socket, 'data')) as [Buffer];
  if (!first.toString().startsWith('HTTP/1.1 200')) return first.toString() + (await text(socket));
  const tls = connectTls({ socket, servername, ca: [authority.pem] });
  tls.write(inside);
  return text(tls);
}

describe('what is let through', () => {
  it('fetches from a registry, with the credentials of the operator and nothing of the learner', async () => {
    const said = await get(at('/a'), 'Authorization: Bearer mine', 'Cookie: mine=1', 'User-Agent: pip', 'X-Data: mine');
    expect(said).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*package$/);
    expect(asked[0]?.headers).toMatchObject({ authorization: 'Basic c2VjcmV0', 'user-agent': 'pip' });
    expect(JSON.stringify(asked[0]?.rawHeaders)).not.toContain('mine');
    expect(refusals).toEqual([]);
  });

  it('keeps what may be kept, and asks once for it', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=600', 'content-length': 7 });
      setTimeout(() => response.end('package'), 50);
    };
    const both = await Promise.all([get(at('/kept')), get(at('/kept'))]);
    expect(both.every((said) => said.endsWith('package'))).toBe(true);
    expect((await get(at('/kept'))).endsWith('package')).toBe(true);
    expect(asked.length).toBe(1);
    expect(sources.sort()).toEqual(['fetched', 'joined', 'stored']);
  });

  it('asks again whether what it keeps is still good, when its time is over', async () => {
    answer = (request, response) => {
      response.writeHead(request.headers['if-none-match'] === '"one"' ? 304 : 200, {
        etag: '"one"',
        'cache-control': 'max-age=0',
        ...(request.headers['if-none-match'] === undefined ? { 'content-length': 7 } : {}),
      });
      response.end(request.headers['if-none-match'] === undefined ? 'package' : undefined);
    };
    expect(await get(at('/checked'))).toContain('package');
    expect(await get(at('/checked'))).toContain('package');
    expect(sources).toEqual(['fetched', 'revalidated']);
  });

  it('keeps nothing that a registry forbids to keep', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'cache-control': 'no-store' });
      response.end('package');
    };
    await get(at('/private'));
    await get(at('/private'));
    expect(sources).toEqual(['passed', 'passed']);
  });

  it('follows an index to the host that it names for files, in that session alone', async () => {
    const file = `http://127.0.0.1:${String(strangerPort)}/file.whl`;
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/vnd.pypi.simple.v1+json' });
      response.end(JSON.stringify({ files: [{ url: file }], meta: { home: 'http://evil.test/' } }));
    };
    expect(await get(file)).toContain('403');
    await get(at('/simple/thing/'));
    expect(client.grants.allows(new URL(file))).toBe(true);
    expect(client.grants.allows(new URL('http://evil.test/'))).toBe(false);
    expect(new Grants().allows(new URL(file))).toBe(false);
  });

  it('asks a mirror in place of the index that a client cannot be told to leave', async () => {
    const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: usual.test\r\nConnection: close\r\n\r\n`;
    const said = await tunnel('usual.test:443', 'usual.test', request('/index/config.json'));
    expect(said).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*package$/);
    expect(asked.map(({ url }) => url)).toEqual(['/mirror/config.json']);
    expect(await tunnel('usual.test:443', 'usual.test', request('/other'))).toContain(refusalText);
    expect(await tunnel('usual.test:22', 'usual.test', '')).toContain(refusalText);
    expect(asked).toHaveLength(1);
  });

  it('follows a redirect of a registry to that very address', async () => {
    const to = `http://127.0.0.1:${String(strangerPort)}/file`;
    answer = (_request, response) => response.writeHead(302, { location: to }).end();
    expect(await get(at('/moved'))).toContain('302');
    expect(client.grants.allows(new URL(to))).toBe(true);
    expect(client.grants.allows(new URL(`${to}2`))).toBe(false);
    // Here it leads to the machine itself.
    expect(await get(to)).toContain('its address is not a public one');
    expect(strays).toBe(0);
  });
});

describe('what is refused', () => {
  it.each([
    ['another host', () => get('http://example.test/')],
    ['another port of a registry', () => get('http://localhost:1/')],
    ['a host that ends like a registry', () => get('http://registry.test.example.test/')],
    ['an address', () => get('http://127.0.0.1/')],
    ['an address in decimal', () => get('http://2130706433/')],
    ['an address in octal', () => get('http://0177.0.0.1/')],
    ['an address in hexadecimal', () => get('http://0x7f.1/')],
    ['IPv6', () => get('http://[::1]/')],
    ['IPv4 in IPv6', () => get('http://[::ffff:169.254.169.254]/')],
    ['a password before the host', () => get('http://registry.test@example.test/')],
    ['a registry whose name leads to this machine', () => get(`http://localhost:${String(strangerPort)}/`)],
    ['another scheme', () => send('GET ftp://registry.test/ HTTP/1.1', 'Host: registry.test', '', '')],
    ['a request to the proxy itself', () => send('GET / HTTP/1.1', 'Host: registry.test', '', '')],
    ['no Host', () => send('GET http://registry.test/ HTTP/1.1', 'Connection: close', '', '')],
    ['two Hosts', () => send('GET http://registry.test/ HTTP/1.1', 'Host: registry.test', 'Host: b.test', '', '')],
    ['a Host other than that of the URL', () => send('GET http://registry.test/ HTTP/1.1', 'Host: b.test', '', '')],
    ['a body', () => send('GET http://registry.test/ HTTP/1.1', 'Host: registry.test', 'Content-Length: 3', '', 'abc')],
    ['a tunnel to another host', () => tunnel('example.test:443', 'example.test', '')],
    ['a tunnel to port 22 of a registry', () => tunnel('registry.test:22', 'registry.test', '')],
    ['a tunnel to an address', () => tunnel('169.254.169.254:443', 'a', '')],
    ['a tunnel to nothing', () => tunnel('nothing', 'a', '')],
    [
      'another host inside of a tunnel',
      () => tunnel('registry.test:443', 'registry.test', 'GET / HTTP/1.1\r\nHost: b.test\r\n\r\n'),
    ],
    [
      'a URL inside of a tunnel',
      () => tunnel('registry.test:443', 'registry.test', 'GET http://b.test/ HTTP/1.1\r\nHost: registry.test\r\n\r\n'),
    ],
    [
      'a tunnel in a tunnel',
      () =>
        tunnel(
          'registry.test:443',
          'registry.test',
          'CONNECT registry.test:443 HTTP/1.1\r\nHost: registry.test\r\n\r\n',
        ),
    ],
    [
      'both lengths of a body',
      () =>
        send(
          'GET http://registry.test/ HTTP/1.1',
          'Host: registry.test',
          'Content-Length: 3',
          'Transfer-Encoding: chunked',
          '',
          '0\r\n\r\nGET http://registry.test/second HTTP/1.1\r\nHost: registry.test\r\n\r\n',
        ),
    ],
    ['a head without end', () => send('GET http://registry.test/ HTTP/1.1', `X: ${'x'.repeat(20_000)}`, '', '')],
    ['no HTTP', () => send('SSH-2.0-OpenSSH_9\r\n')],
  ])('%s', async (_name, attempt) => {
    const said = await attempt();
    expect(said).toMatch(/^HTTP\/1.1 4\d\d this sandbox may only reach package registries\r\n/);
    expect(said).toContain(`Refused: ${refusalText}.`);
    expect(refusals.length).toBe(1);
    expect([asked.length, strays]).toEqual([0, 0]);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])('%s to a registry', async (method) => {
    const inside = `${method} /package HTTP/1.1\r\nHost: registry.test\r\nContent-Length: 0\r\n\r\n`;
    expect(await tunnel('registry.test:443', 'registry.test', inside)).toContain(`405 ${refusalText}`);
    const plain = await send(`${method} ${at('/')} HTTP/1.1`, `Host: localhost:${String(registryPort)}`, '', '');
    expect(plain).toContain(`405 ${refusalText}`);
    expect(asked).toEqual([]);
  });

  it('another name in the TLS handshake than in the tunnel', async () => {
    expect(await tunnel('registry.test:443', 'b.test', 'GET / HTTP/1.1\r\n\r\n')).toBe('');
    expect(refusals).toEqual([{ target: 'b.test', reason: 'it is named in a tunnel to registry.test' }]);
  });

  it('other protocols than TLS through a tunnel', async () => {
    const socket = connect(proxyPort, '127.0.0.1');
    socket.write('CONNECT registry.test:443 HTTP/1.1\r\nHost: registry.test:443\r\n\r\n');
    await once(socket, 'data');
    socket.write('SSH-2.0-OpenSSH_9\r\n');
    await text(socket);
    expect(refusals).toEqual([{ target: 'registry.test', reason: 'what came through the tunnel is not TLS' }]);
  });

  it('an upload, before it has been sent', async () => {
    const head = ['Host: registry.test', 'Content-Length: 1000000000', '', 'a byte'].join('\r\n');
    const plain = await send(`PUT http://registry.test/ HTTP/1.1\r\n${head}`);
    expect(plain).toContain(`405 ${refusalText}`);
    const inside = await tunnel('registry.test:443', 'registry.test', `GET / HTTP/1.1\r\n${head}`);
    expect(inside).toContain('a request may carry no data');
    expect(asked).toEqual([]);
  });

  it('more than a session may take', async () => {
    client = { ...client, quota: new Quota({ ...limits, bytes: 10, requestsPerMinute: 4 }) };
    answer = (_request, response) => response.end('x'.repeat(11));
    await get(at('/much'));
    expect(await get(at('/more'))).toContain(`429 ${refusalText}`);
    client = { ...client, quota: new Quota({ ...limits, requestsPerMinute: 1 }) };
    await get(at('/first'));
    expect(await get(at('/second'))).toContain('too many requests');
  });
});

describe('a client that takes its time', () => {
  const almost = 19_000;
  const over = 2000;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A byte now and then until its time is over: whether the proxy then has ended the connection by itself. */
  async function dribble(stream: Duplex, bytes: string): Promise<void> {
    const ended = text(stream).catch(() => '');
    for (const byte of bytes) {
      await new Promise((done) => stream.write(byte, done));
      vi.advanceTimersByTime(almost / bytes.length);
    }
    expect(stream.destroyed || stream.readableEnded).toBe(false);
    vi.advanceTimersByTime(over);
    expect(await ended).toBe('');
    stream.destroy();
    expect(asked).toEqual([]);
  }

  async function connected(first = ''): Promise<Socket> {
    const socket = connect(proxyPort, '127.0.0.1');
    const accepted = once(proxyServer, 'connection');
    if (first !== '') {
      socket.write(first);
      await once(socket, 'data');
    }
    await accepted;
    return socket;
  }
  const opening = 'CONNECT registry.test:443 HTTP/1.1\r\nHost: registry.test:443\r\n\r\n';

  it('with a head is cut off', async () => {
    await dribble(await connected(), `GET ${at('/')} HTTP/1.1\r\nX: y`);
  });

  it('with a TLS handshake is cut off', async () => {
    await dribble(await connected(opening), '\x16\x03\x01\x02\x00\x01\x00\x01\xfc');
  });

  it('with a head in a tunnel is cut off', async () => {
    const socket = await connected(opening);
    const tls = connectTls({ socket, servername: 'registry.test', ca: [authority.pem] });
    await once(tls, 'secureConnect');
    await dribble(tls, 'PUT / HTTP/1.1\r\nHost: registry.test\r\nX: y');
  });
});
