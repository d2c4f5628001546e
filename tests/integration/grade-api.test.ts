import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../sandbox-server/labs/index.ts';
import { labResult } from '../../sandbox-server/protocol/index.ts';
import { makeTar } from '../helpers/archives.ts';
import { prepareBase, TestServer } from '../helpers/server.ts';
import type { Answer, Base } from '../helpers/server.ts';

const home = mkdtempSync(join(tmpdir(), 'ballast-grade-api-'));
const token = 'a-secret-of-the-graders';
let base: Base;
let server: TestServer;

beforeAll(async () => {
  base = await prepareBase(home);
  const lab = base.labs.get('multi-stage-go');
  if (lab === undefined) throw new Error('The lab multi-stage-go is missing.');
  // One check is enough to see the way there and back.
  const checks = lab.checks
    .filter(({ id }) => id === 'image-built')
    .map((check) => ({ ...check, with: { image: 'x' } }));
  const small: Lab = { ...lab, checks, protected: [] };
  const grading = { ...base.config.grading, token, queue: 0 };
  server = new TestServer({ ...base, labs: new Map([[lab.id, small]]), config: { ...base.config, grading } });
  await server.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const post = async (body: Buffer, how: { token?: string; lab?: string; type?: string } = {}): Promise<Answer> =>
  server.ask('POST', `/api/grade?lab=${how.lab ?? 'multi-stage-go'}`, {
    body,
    token: how.token ?? token,
    headers: { 'content-type': how.type ?? 'application/x-tar' },
  });
const submission = (dockerfile: string): Promise<Buffer> => makeTar([['Dockerfile', dockerfile]]);

it('grades a tar and a gzipped one, and holds back who comes when all turns are taken', async () => {
  const right = post(await submission('FROM golang:1.24\n'));
  const wrong = post(gzipSync(await submission('FROM nothing-of-this-name\n')), { type: 'application/gzip' });
  const answers = await Promise.all([right, wrong]);
  // Which of the two comes first is not said; the other finds no turn.
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 503]);
  const again = await post(await submission('FROM nothing-of-this-name\n'));
  expect(labResult.parse(again.json)).toMatchObject({ outcome: 'failed', mode: 'clean-room', score: 0 });
  expect(await base.engine.listSandboxes({ 'ballast.host': server.hostId })).toEqual([]);
});

it('asks for its token before it reads anything', async () => {
  const body = await submission('FROM scratch\n');
  expect(await post(body, { token: 'a-guess' })).toMatchObject({ status: 401, code: 'unauthorized' });
  await using open = new TestServer(base);
  await open.start();
  expect(await open.ask('POST', '/api/grade?lab=multi-stage-go', { body, token })).toMatchObject({ status: 404 });
});

it('refuses a lab whose base images are not here, with the command that gets them', async () => {
  const missing = 'example.org/not-here:1';
  const [lab] = base.labs.values();
  const without = new Map([['rust-lab', { ...lab!, id: 'rust-lab', images: [...lab!.images, missing] }]]);
  const grading = { ...base.config.grading, token };
  await using other = new TestServer({ ...base, labs: without, config: { ...base.config, grading } });
  await other.start();
  const headers = { 'content-type': 'application/x-tar' };
  const body = await submission('FROM scratch\n');
  const answer = await other.ask('POST', '/api/grade?lab=rust-lab', { body, token, headers });
  expect(answer).toMatchObject({ status: 503, code: 'images_missing' });
  expect(answer.json).toMatchObject({
    error: {
      message: `Base images of this lab are not here yet: ${missing}.`,
      hint: expect.stringContaining('npx ballast setup --lab rust-lab') as string,
    },
  });
  expect(await base.engine.listSandboxes({ 'ballast.host': other.hostId })).toEqual([]);
});

it('refuses what is no submission', async () => {
  const body = await submission('FROM scratch\n');
  expect(await post(body, { lab: 'no-such-lab' })).toMatchObject({ status: 404, code: 'lab_not_found' });
  expect(await post(Buffer.from('no tar'))).toMatchObject({ status: 400, code: 'bad_request' });
  expect(await post(await makeTar([['../x', 'y']]))).toMatchObject({ status: 400, code: 'bad_path' });
  const bomb = gzipSync(await makeTar([['zeros', Buffer.alloc(50 * 1024 ** 2)]]));
  expect(await post(bomb)).toMatchObject({ status: 413, code: 'too_large' });
  expect((await post(body, { type: 'text/html' })).status).toBeGreaterThanOrEqual(400);
});
