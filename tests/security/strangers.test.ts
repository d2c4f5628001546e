import { afterAll, beforeAll, expect, test } from 'vitest';
import { openArena, type Arena } from '../helpers/attack.ts';
import { fileList, imageList, labResult } from '../../sandbox-server/protocol/index.ts';
import { refusedUpgrade } from '../helpers/socket.ts';

let arena: Arena;

beforeAll(async () => {
  arena = await openArena();
});
afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});

/** Control characters that a terminal acts upon, new line and tab apart. */
const control = /[^\P{Cc}\n\t]/u;
const marked = '<img src=x onerror=alert(1)>';

test("another person's session: its id with one's own token, on every route and socket", async () => {
  const { server, attacker, neighbour } = arena;
  const { token } = attacker.session;
  const at = `/api/sessions/${neighbour.session.id}`;
  const body = JSON.stringify({ files: 'restore' });
  const requests = [
    ['GET', at],
    ['DELETE', at],
    ['POST', `${at}/extend`],
    ['POST', `${at}/reset`, body],
    ['GET', `${at}/files`],
    ['GET', `${at}/files/Dockerfile`],
    ['PUT', `${at}/files/Dockerfile`, Buffer.from('FROM scratch')],
    ['DELETE', `${at}/files/Dockerfile`],
    ['GET', `${at}/images`],
    ['POST', `${at}/checks`, '{}'],
  ] as const;
  for (const [method, path, sent] of requests) {
    const options = sent === undefined ? { token } : { token, body: sent };
    const type = Buffer.isBuffer(sent) ? { headers: { 'content-type': 'application/octet-stream' } } : {};
    expect(await server.ask(method, path, { ...options, ...type }), `${method} ${path}`).toMatchObject({ status: 401 });
    // As a cookie, from the server's own page, as well.
    const cookie = { cookie: `ballast_${neighbour.session.id}=${token}`, origin: server.origin, ...type.headers };
    expect(
      await server.ask(method, path, { ...(sent === undefined ? {} : { body: sent }), headers: cookie }),
    ).toMatchObject({
      status: 401,
    });
  }
  expect((await neighbour.bash('head -1 multi-stage-go/Dockerfile')).stdout).toMatch(/^FROM|^#/);
  await arena.othersAreWell();
});

test('guessed and malformed session ids', async () => {
  const { server, attacker } = arena;
  const { token, id } = attacker.session;
  const ids = [
    'a'.repeat(20),
    `${id.slice(0, -1)}${id.endsWith('a') ? 'b' : 'a'}`,
    '..',
    '%2e%2e',
    `${id}%00`,
    "' or 1=1 --",
    'x'.repeat(5000),
  ];
  for (const guessed of ids) {
    const { status } = await server.ask('GET', `/api/sessions/${encodeURI(guessed)}`, { token });
    expect([400, 401, 404, 414, 431]).toContain(status);
    const refused = await refusedUpgrade(server, `/api/sessions/${encodeURI(guessed)}/events`, null);
    expect(refused.status).toBeGreaterThanOrEqual(400);
  }
  await arena.othersAreWell();
});

test('names of files with markup and terminal sequences', async () => {
  const { server, attacker } = arena;
  const made = await attacker.bash(
    `cd multi-stage-go && touch -- '${marked}' $'\\e]0;owned\\a.txt' $'two\\nlines' 'javascript:alert(1)'`,
  );
  expect(made.exitCode).toBe(0);
  const { token } = attacker.session;
  const listed = await server.ask('GET', `/api/sessions/${attacker.session.id}/files`, { token });
  expect(listed.headers['content-type']).toMatch(/^application\/json/);
  const paths = fileList.parse(listed.json).files.map(({ path }) => path);
  expect(paths).toContain(marked);
  // Escaped by JSON: no byte of it does anything to a terminal that shows the answer.
  expect(listed.bytes.toString()).not.toMatch(control);
  const got = await server.ask('GET', `/api/sessions/${attacker.session.id}/files/${encodeURIComponent(marked)}`, {
    token,
  });
  expect(got).toMatchObject({
    status: 200,
    headers: { 'content-disposition': 'attachment', 'x-content-type-options': 'nosniff' },
  });
  expect(got.headers['content-security-policy']).toMatch(/default-src 'none'/);
  await arena.othersAreWell();
});

test('images, stages and build logs with markup and terminal sequences', { timeout: 300_000 }, async () => {
  const { server, attacker } = arena;
  const { token, id } = attacker.session;
  const dockerfile = [
    'FROM debian:trixie-slim AS build',
    `RUN touch '/${marked}.go' "/$(printf '\\033]0;owned\\007').go"`,
    `RUN mkdir /src && printf 'x' > '/src/a.go'`,
    'FROM build AS test',
    'COPY . .',
    `RUN printf '\\033]0;owned\\007\\033[2J${marked}\\n' >&2; exit 1`,
    'FROM build',
    `LABEL title="${marked}"`,
    `CMD ["${marked}"]`,
  ].join('\n');
  await server.ask('PUT', `/api/sessions/${id}/files/Dockerfile`, {
    token,
    body: Buffer.from(dockerfile),
    headers: { 'content-type': 'application/octet-stream' },
  });
  const built = await attacker.bash(
    'cd multi-stage-go && docker build -q -t greeter . && docker tag greeter a/b.c:v1',
    120_000,
  );
  expect(built, built.stderr).toMatchObject({ exitCode: 0 });
  const images = await server.ask('GET', `/api/sessions/${id}/images`, { token });
  expect(imageList.parse(images.json).images.map(({ ref }) => ref)).toContain('a/b.c:v1');
  for (const bad of [marked, 'a:$(id)', '../x', 'A B']) {
    expect((await attacker.shell.run(['/usr/bin/docker', 'tag', 'greeter', bad])).exitCode).not.toBe(0);
  }
  const body = JSON.stringify({ ids: ['image-built', 'nothing-extra', 'serves-http', 'tests-in-stage'] });
  const checked = await server.ask('POST', `/api/sessions/${id}/checks`, { token, body });
  const { checks } = labResult.parse(checked.json);
  const evidence = checks.map(({ expected, actual, hint }) => `${expected}\n${actual}\n${hint}`).join('\n');
  expect(evidence).toContain(marked);
  expect(evidence).not.toMatch(control);
  await arena.othersAreWell();
});
