import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  errorTable,
  fileList,
  health,
  imageList,
  imageXray,
  labList,
  maxFileBytes,
} from '../../sandbox-server/protocol/index.ts';
import { prepareBase, TestServer, type Base, type TestSession } from '../helpers/server.ts';
import { untilReady } from '../helpers/socket.ts';

let home: string;
let base: Base;
let server: TestServer;
let session: TestSession;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
  const site = join(home, 'site');
  mkdirSync(join(site, '_astro'), { recursive: true });
  mkdirSync(join(site, 'lessons', 'one'), { recursive: true });
  writeFileSync(join(site, 'index.html'), '<script>start()</script>Home');
  writeFileSync(join(site, '404.html'), 'Not here');
  writeFileSync(join(site, 'lessons', 'one', 'index.html'), 'Lesson');
  writeFileSync(join(site, '_astro', 'a.Hash1234.js'), '1');
  base = await prepareBase(home);
  server = new TestServer(base, { siteDir: site, session: { max: 2, queue: 0 } });
  await server.start();
  session = await server.createSession();
  await untilReady(server, session);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const at = (path = ''): string => `/api/sessions/${session.id}${path}`;
const ask = (...[method, path, options]: Parameters<TestServer['ask']>): ReturnType<TestServer['ask']> =>
  server.ask(method, path, { token: session.token, ...options });

describe('without a session', () => {
  test('health and labs answer as the protocol says', async () => {
    const answer = await server.ask('GET', '/api/health');
    expect(health.parse(answer.json)).toMatchObject({ status: 'ok', engine: { reachable: true } });
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    const { labs } = labList.parse((await server.ask('GET', '/api/labs')).json);
    const lab = labs.find(({ id }) => id === 'multi-stage-go');
    expect(lab?.available).toBe(true);
    expect(JSON.stringify(lab)).not.toContain('startDir');
  });

  test('OpenAPI names every route and its errors', async () => {
    const document = (await server.ask('GET', '/api/openapi.json')).json as {
      paths: Record<string, Record<string, { responses: Record<string, { description: string }> }>>;
    };
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.sort()).toEqual(
      [
        'GET /api/health',
        'GET /api/labs',
        'POST /api/grade',
        'POST /api/sessions',
        'GET /api/sessions/{id}',
        'DELETE /api/sessions/{id}',
        'POST /api/sessions/{id}/extend',
        'POST /api/sessions/{id}/reset',
        'GET /api/sessions/{id}/files',
        'GET /api/sessions/{id}/files/{*}',
        'PUT /api/sessions/{id}/files/{*}',
        'DELETE /api/sessions/{id}/files/{*}',
        'POST /api/sessions/{id}/checks',
        'GET /api/sessions/{id}/images',
        'GET /api/sessions/{id}/images/{*}',
      ].sort(),
    );
    expect(document.paths['/api/sessions']?.['post']?.responses['503']?.description).toContain('capacity');
  });

  test.each([
    ['GET', '/api/nothing', 404, 'not_found'],
    ['GET', '/api/', 404, 'not_found'],
    ['POST', '/api/health', 404, 'not_found'],
    ['GET', '/api/sessions/short', 400, 'bad_request'],
    ['GET', '/api/%zz', 400, 'bad_request'],
    ['GET', `/api/sessions/${'a'.repeat(20)}`, 401, 'unauthorized'],
  ])('%s %s is %i %s', async (method, path, status, code) => {
    const answer = await server.ask(method, path);
    expect(answer).toMatchObject({ status, code });
    const { error } = answer.json as { error: Record<string, string> };
    expect(Object.keys(error).sort()).toEqual(['code', 'hint', 'message']);
    expect(Object.keys(errorTable)).toContain(error['code']);
  });

  test.each([
    ['no JSON', '{', 400, 'bad_request'],
    ['no lab', '{}', 400, 'bad_request'],
    ['another lab', '{"lab":"no-such-lab"}', 404, 'lab_not_found'],
    ['a lab of another type', '{"lab":{"$ne":1}}', 400, 'bad_request'],
    ['an unknown key', '{"lab":"multi-stage-go","image":"x"}', 400, 'bad_request'],
    ['too much', `{"lab":"${'a'.repeat(70_000)}"}`, 413, 'too_large'],
  ])('a session of %s is refused', async (_what, body, status, code) => {
    expect(await server.ask('POST', '/api/sessions', { body })).toMatchObject({ status, code });
  });

  test('what is not HTTP is answered in our form too', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('NONSENSE\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toContain('400 Bad Request');
    expect(answer).toContain('"code":"bad_request"');
  });
});

describe('the site', () => {
  test('a page carries a policy with the hashes of its own scripts and is not kept', async () => {
    const page = await server.ask('GET', '/');
    expect(page.status).toBe(200);
    expect(page.headers['cache-control']).toBe('no-cache');
    expect(page.headers['content-security-policy']).toMatch(/script-src 'self' 'sha256-[^']+';/);
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
  });

  test('files with a hash in their name are kept for a year', async () => {
    const script = await server.ask('GET', '/_astro/a.Hash1234.js');
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  });

  test('folders are not listed, what is missing has a page, and nothing above is served', async () => {
    expect((await server.ask('GET', '/lessons/one')).headers.location).toBe('/lessons/one/');
    expect((await server.ask('GET', '/lessons/one/')).bytes.toString()).toBe('Lesson');
    const html = { headers: { accept: 'text/html' } };
    expect((await server.ask('GET', '/lessons/', html)).status).toBe(404);
    const missing = await server.ask('GET', '/nowhere', html);
    expect(missing.status).toBe(404);
    expect(missing.bytes.toString()).toBe('Not here');
    for (const path of ['/../ballast.db', '/%2e%2e/ballast.db', '/..%2fballast.db', '//evil.example/%2e%2e']) {
      expect((await server.ask('GET', path)).status).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('who may do what', () => {
  test('the token is asked for, and only the right one will do', async () => {
    expect((await ask('GET', at())).status).toBe(200);
    expect(await server.ask('GET', at())).toMatchObject({ status: 401, code: 'unauthorized' });
    for (const token of ['x', '', session.token.slice(1), `${session.token}=`, 'a'.repeat(43)]) {
      expect(await server.ask('GET', at(), { token })).toMatchObject({ status: 401, code: 'unauthorized' });
    }
    const other = 'abcdefghijklmnopqrst';
    expect(await ask('GET', `/api/sessions/${other}`)).toMatchObject({ status: 404, code: 'session_not_found' });
  });

  test('the cookie is for this session, and for the browser alone', () => {
    expect(session.setCookie).toContain(`ballast_${session.id}=${session.token}`);
    expect(session.setCookie).toContain('HttpOnly');
    expect(session.setCookie).toContain('SameSite=Strict');
    expect(session.setCookie).toContain(`Path=/api/sessions/${session.id}`);
    expect(session.setCookie).not.toContain('Secure');
  });

  test('a cookie changes things only together with our own origin', async () => {
    const cookie = `other=1; ballast_${session.id}=${session.token}`;
    expect((await server.ask('GET', at(), { headers: { cookie } })).status).toBe(200);
    const extend = (headers: Record<string, string>): ReturnType<TestServer['ask']> =>
      server.ask('POST', at('/extend'), { headers: { cookie, ...headers } });
    expect((await extend({ origin: server.origin })).status).toBe(200);
    for (const headers of [
      {},
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${String(server.port + 1)}` },
      { origin: `https://127.0.0.1:${String(server.port)}` },
    ]) {
      expect(await extend(headers)).toMatchObject({ status: 403, code: 'forbidden_origin' });
    }
  });

  test('a token with a foreign origin is refused as well', async () => {
    const headers = { origin: 'http://evil.example' };
    expect(await ask('POST', at('/extend'), { headers })).toMatchObject({ status: 403, code: 'forbidden_origin' });
    const body = '{"lab":"multi-stage-go"}';
    expect(await server.ask('POST', '/api/sessions', { body, headers })).toMatchObject({ code: 'forbidden_origin' });
    const fetched = { 'sec-fetch-site': 'cross-site' };
    expect(await server.ask('POST', '/api/sessions', { body, headers: fetched })).toMatchObject({ status: 403 });
  });

  test('a name that somebody pointed at us is not ours', async () => {
    for (const path of ['/api/health', '/', at()]) {
      const answer = await ask('GET', path, { headers: { host: 'evil.example' } });
      expect(answer).toMatchObject({ status: 403, code: 'forbidden_origin' });
    }
    expect((await server.ask('GET', '/api/health', { headers: { host: 'localhost:1' } })).status).toBe(200);
  });
});

describe('sessions', () => {
  test('begin in the state "starting" and are ready with the files of the lab', async () => {
    expect(session.created).toMatchObject({ lab: 'multi-stage-go', state: 'starting', failure: null });
    expect(await server.session(session)).toMatchObject({ state: 'ready', progress: 1 });
    const { files } = fileList.parse((await ask('GET', at('/files'))).json);
    expect(files.map(({ path }) => path)).toContain('Dockerfile');
  });

  test('no more of them than configured; ending one removes its container and volume', async () => {
    const second = await server.createSession();
    const body = '{"lab":"multi-stage-go"}';
    expect(await server.ask('POST', '/api/sessions', { body })).toMatchObject({ status: 503, code: 'capacity' });
    await untilReady(server, second);
    const ended = await server.ask('DELETE', `/api/sessions/${second.id}`, { token: second.token });
    expect(ended.status).toBe(204);
    const labels = { 'ballast.host': server.hostId, 'ballast.session': second.id };
    expect(await base.engine.listSandboxes(labels)).toEqual([]);
    expect(await base.engine.listVolumes(labels)).toEqual([]);
    const gone = await server.ask('GET', `/api/sessions/${second.id}`, { token: second.token });
    expect(gone).toMatchObject({ status: 404, code: 'session_not_found' });
  });

  test('one that is ended while it starts leaves nothing', async () => {
    const second = await server.createSession();
    await server.ask('DELETE', `/api/sessions/${second.id}`, { token: second.token });
    const labels = { 'ballast.host': server.hostId, 'ballast.session': second.id };
    expect(await base.engine.listSandboxes(labels)).toEqual([]);
    expect(await base.engine.listVolumes(labels)).toEqual([]);
  });

  test('an image is opened up, whichever way its slashes are written', async () => {
    const ref = 'gcr.io/distroless/static-debian13:debug';
    const answer = await ask('GET', at(`/images/${ref}/xray`));
    expect(answer.status, answer.bytes.toString()).toBe(200);
    const xray = imageXray.parse(answer.json);
    expect(xray.layers.length).toBeGreaterThan(0);
    expect(xray.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0)).toBe(xray.sizeBytes);
    expect(xray.executables.list.map(({ kind }) => kind)).toContain('shell');
    expect(xray.packages.list.map(({ name }) => name)).toContain('tzdata');
    expect(xray.config.env).toContain('PATH');
    const { images } = imageList.parse((await ask('GET', at('/images'))).json);
    expect(images.find((image) => image.ref === ref)).toMatchObject({ digest: xray.digest, sizeBytes: xray.sizeBytes });

    expect((await ask('GET', at(`/images/${encodeURIComponent(ref)}/xray`))).json).toEqual(answer.json);
    expect(await ask('GET', at('/images/nothing-here/xray'))).toMatchObject({ status: 404, code: 'image_not_found' });
    expect(await ask('GET', at('/images/--help/xray'))).toMatchObject({ status: 400, code: 'bad_request' });
    expect(await ask('GET', at(`/images/${ref}`))).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('images are listed, base images marked as such', async () => {
    const { images } = imageList.parse((await ask('GET', at('/images'))).json);
    const golang = images.find(({ ref }) => ref === 'golang:1.24');
    expect(golang).toMatchObject({ base: true });
    expect(['official', 'equivalent']).toContain(golang?.origin);
  });

  test('checks that the lab does not have are refused', async () => {
    const body = JSON.stringify({ ids: ['no-such-check'] });
    expect(await ask('POST', at('/checks'), { body })).toMatchObject({ status: 400, code: 'bad_request' });
  });
});

describe('files', () => {
  const file = (path: string): string => at(`/files/${path}`);
  const put = (path: string, body: string | Buffer, headers = {}): ReturnType<TestServer['ask']> =>
    ask('PUT', file(path), {
      body: Buffer.from(body),
      headers: { 'content-type': 'application/octet-stream', ...headers },
    });

  test('come back byte for byte, in folders that are made on the way', async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256));
    const written = await put('deep/er/b%20%C3%BC.bin', bytes);
    expect(written.status).toBe(204);
    const read = await ask('GET', file('deep/er/b%20%C3%BC.bin'));
    expect(read.bytes.equals(bytes)).toBe(true);
    expect(read.headers.etag).toBe(written.headers.etag);
    expect(read.headers['content-type']).toBe('application/octet-stream');
    expect(read.headers['content-disposition']).toBe('attachment');
    const { files } = fileList.parse((await ask('GET', at('/files'))).json);
    expect(files).toContainEqual(expect.objectContaining({ path: 'deep/er/b ü.bin', kind: 'file', sizeBytes: 70_000 }));
    expect((await put('empty', '')).status).toBe(204);
    expect((await ask('GET', file('empty'))).bytes).toHaveLength(0);
  });

  test('are not written over unseen changes', async () => {
    const first = await put('versioned', 'one');
    const version = { 'if-match': String(first.headers.etag) };
    expect((await put('versioned', 'two', version)).status).toBe(204);
    expect(await put('versioned', 'three', version)).toMatchObject({ status: 409, code: 'file_changed' });
    expect(await put('versioned', 'new', { 'if-none-match': '*' })).toMatchObject({ code: 'file_changed' });
    expect(await put('gone', 'x', version)).toMatchObject({ code: 'file_changed' });
    expect(await ask('DELETE', file('versioned'), { headers: version })).toMatchObject({ code: 'file_changed' });
    expect(await put('versioned', 'x', { 'if-match': '"nonsense"' })).toMatchObject({ code: 'bad_request' });
    expect((await ask('GET', file('versioned'))).bytes.toString()).toBe('two');
    expect((await ask('DELETE', file('versioned'))).status).toBe(204);
    expect(await ask('GET', file('versioned'))).toMatchObject({ status: 404, code: 'file_not_found' });
    expect((await put('versioned', 'new', { 'if-none-match': '*' })).status).toBe(204);
  });

  test('keep the mode they had', async () => {
    await put('script.sh', 'echo 1');
    const [sandbox] = await base.engine.listSandboxes({ 'ballast.session': session.id });
    const run = async (argv: string[]): Promise<string> => {
      const exec = await base.engine.exec(sandbox!.id, { argv, cwd: '/home/learner/multi-stage-go' });
      exec.stdin.end();
      let output = '';
      for await (const chunk of exec.stdout) output += String(chunk);
      return output.trim();
    };
    await run(['chmod', '750', 'script.sh']);
    await put('script.sh', 'echo 2');
    expect(await run(['stat', '-c', '%a %U', 'script.sh'])).toBe('750 learner');
  });

  test.each([
    ['..', 'bad_path'],
    ['../../etc/passwd', 'bad_path'],
    ['%2e%2e/%2e%2e/etc/passwd', 'bad_path'],
    ['a/%2E%2E/%2E%2E/x', 'bad_path'],
    ['..%2f..%2fetc%2fpasswd', 'bad_path'],
    ['%2fetc%2fpasswd', 'bad_path'],
    ['/etc/passwd', 'bad_path'],
    ['a%00b', 'bad_path'],
    ['a%0ab', 'bad_path'],
    ['%ff', 'bad_request'],
    ['a//b', 'bad_path'],
    ['.', 'bad_path'],
    ['', 'bad_path'],
    ['x'.repeat(300), 'bad_path'],
    [`${'y'.repeat(200)}/`.repeat(8) + 'z', 'bad_path'],
  ])('the path %j is refused', async (path, code) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await ask(method, file(path), method === 'PUT' ? { body: Buffer.from('x') } : {});
      expect(answer).toMatchObject({ status: 400, code });
    }
  });

  test('links that lead out are not followed, those that stay within are', async () => {
    const [sandbox] = await base.engine.listSandboxes({ 'ballast.session': session.id });
    const script =
      'ln -s /etc/passwd out; ln -s / root; ln -s ../.bashrc up; ln -s Dockerfile in; ln -s /nowhere/x dangling; mkfifo fifo; mkdir dir';
    const exec = await base.engine.exec(sandbox!.id, {
      argv: ['sh', '-c', script],
      cwd: '/home/learner/multi-stage-go',
    });
    exec.stdin.end();
    exec.stdout.resume();
    exec.stderr.resume();
    expect(await exec.exitCode()).toBe(0);
    for (const path of ['out', 'root/etc/passwd', 'up', 'dangling']) {
      expect(await ask('GET', file(path))).toMatchObject({ status: 400, code: 'bad_path' });
      expect(await put(path, 'x')).toMatchObject({ status: 400, code: 'bad_path' });
    }
    expect(await ask('DELETE', file('root/etc/passwd'))).toMatchObject({ status: 400, code: 'bad_path' });
    for (const path of ['fifo', 'dir']) {
      expect(await ask('GET', file(path))).toMatchObject({ status: 400, code: 'bad_path' });
      expect(await put(path, 'x')).toMatchObject({ status: 400, code: 'bad_path' });
    }
    expect((await ask('GET', file('in'))).bytes.toString()).toContain('FROM');
    // A link is removed itself, not what it leads to.
    expect((await ask('DELETE', file('out'))).status).toBe(204);
  });

  test('names are data: nothing in them is run', async () => {
    for (const name of ['$(touch pwned)', '`touch pwned`', '-rf', "'; touch pwned; '", '*']) {
      const path = encodeURIComponent(name);
      expect((await put(path, name)).status).toBe(204);
      expect((await ask('GET', file(path))).bytes.toString()).toBe(name);
      expect((await ask('DELETE', file(path))).status).toBe(204);
    }
    expect((await ask('GET', file('pwned'))).status).toBe(404);
    expect((await ask('GET', file('Dockerfile'))).status).toBe(200);
  });

  test('have a size limit both ways', async () => {
    const most = Buffer.alloc(maxFileBytes, 'a');
    expect((await put('large', most)).status).toBe(204);
    expect((await ask('GET', file('large'))).bytes).toHaveLength(maxFileBytes);
    expect(await put('large', Buffer.alloc(maxFileBytes + 1))).toMatchObject({ status: 413, code: 'too_large' });
    const [sandbox] = await base.engine.listSandboxes({ 'ballast.session': session.id });
    const argv = ['sh', '-c', 'echo >> large'];
    const exec = await base.engine.exec(sandbox!.id, { argv, cwd: '/home/learner/multi-stage-go' });
    exec.stdin.end();
    exec.stdout.resume();
    exec.stderr.resume();
    await exec.exitCode();
    expect(await ask('GET', file('large'))).toMatchObject({ status: 413, code: 'too_large' });
  });

  test('written at the same time against the same version: one wins', async () => {
    const { headers } = await put('raced', 'start');
    const version = { 'if-match': String(headers.etag) };
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((text) => put('raced', text, version)));
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(answers.filter(({ code }) => code === 'file_changed')).toHaveLength(3);
  });
});
