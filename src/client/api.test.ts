import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createApi, explain, UnreachableError, type Api } from './api.ts';

interface TestServer extends AsyncDisposable {
  readonly api: Api;
  readonly requests: IncomingMessage[];
}

const serve = async (answer: RequestListener): Promise<TestServer> => {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    api: createApi(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`),
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

const session = {
  id: 'abcdefghij0123456789',
  lab: 'multi-stage-go',
  state: 'ready',
  stage: 'Ready',
  progress: 1,
  createdAt: '2026-11-20T10:00:00.000Z',
  expiresAt: '2026-11-20T12:00:00.000Z',
  terminals: ['main'],
  maxTerminals: 4,
  failure: null,
  queue: null,
  restoredFiles: false,
};

describe('the REST client', () => {
  it('drops the token that only the cookie should hold', async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(201).end(JSON.stringify({ ...session, token: 'secret' }));
    });
    expect(await server.api.createSession('multi-stage-go')).toEqual(session);
  });

  it('gives the server’s own words for an error', async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(503).end(JSON.stringify({ error: { code: 'capacity', message: 'Full.', hint: 'Wait.' } }));
    });
    const error: unknown = await server.api.createSession('x').catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'capacity' });
    expect(explain(error)).toEqual({ message: 'Full.', hint: 'Wait.' });
  });

  it.each([
    ['not JSON', 502, '<html>'],
    ['of another shape', 200, '{"id": 7}'],
  ])('refuses an answer that is %s', async (_what, status, body) => {
    await using server = await serve((_request, response) => {
      response.writeHead(status).end(body);
    });
    await expect(server.api.getSession('abc')).rejects.toBeInstanceOf(UnreachableError);
  });

  it('says when nobody answers', async () => {
    const error: unknown = await createApi('http://127.0.0.1:1')
      .listFiles('abc')
      .catch((cause: unknown) => cause);
    expect(explain(error).message).toBe('Ballast cannot be reached.');
  });

  it('reads and writes files with their version, their path escaped part by part', async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(200, { etag: '"v1"' }).end('# Grüße\n');
    });
    const content = await server.api.readFile('s', 'a b/ü#.txt');
    expect(content).toEqual({ text: '# Grüße\n', version: '"v1"' });
    await server.api.writeFile('s', 'new', 'x', 'new');
    await server.api.writeFile('s', 'old', 'x', { version: '"v1"' });
    expect(server.requests.map((request) => request.url)).toEqual([
      '/api/sessions/s/files/a%20b/%C3%BC%23.txt',
      '/api/sessions/s/files/new',
      '/api/sessions/s/files/old',
    ]);
    expect(server.requests[1]?.headers['if-none-match']).toBe('*');
    expect(server.requests[2]?.headers['if-match']).toBe('"v1"');
  });

  it('does not take a binary file for text', async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(200, { etag: '"v1"' }).end(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff]));
    });
    expect((await server.api.readFile('s', 'server')).text).toBeUndefined();
  });
});
