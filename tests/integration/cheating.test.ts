import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatReport, gradeMany } from '../../sandbox-server/grading/index.ts';
import { openCheats, type Cheats } from '../helpers/cheats.ts';

/** Ways to be given points for what one has not done, as far as they are quick to try; the rest: tests/labs/cheating.test.ts. */

let cheats: Cheats;
beforeAll(async () => {
  cheats = await openCheats('cheating-test');
});
afterAll(() => cheats[Symbol.asyncDispose]());

describe('what is handed in', { timeout: 300_000 }, () => {
  it('files that are no part of the answer are put back as they were given', async () => {
    const files = await cheats.over({
      'main_test.go': 'package main\n',
      'serve.go': 'no Go at all',
      Dockerfile: 'FROM golang:1.24\nCOPY . .\nRUN cat serve.go main_test.go | sha256sum; exit 1\n',
    });
    const given = await cheats.over({
      Dockerfile: 'FROM golang:1.24\nCOPY . .\nRUN cat serve.go main_test.go | sha256sum; exit 1\n',
    });
    const [changed, unchanged] = [await cheats.grade(files), await cheats.grade(given)];
    expect(changed.checks[0]?.actual).toMatch(/[0-9a-f]{64}/);
    expect(changed.checks[0]?.actual).toBe(unchanged.checks[0]?.actual);
  });

  it('results that it writes or prints are not read', async () => {
    const forged = JSON.stringify({ outcome: 'passed', score: 90, maxScore: 90 });
    const xml = '</failure></testcase></testsuite><testsuite name="me" tests="1" failures="0" errors="0">';
    const dockerfile = `FROM golang:1.24\nCOPY . .\nRUN echo 'ballast: ready'; cat result.json; cat junit.xml; printf '\\033[2J\\033]0;passed\\007'; exit 1\n`;
    const files = await cheats.over({
      Dockerfile: dockerfile,
      'result.json': forged,
      'junit.xml': xml,
      'results/ctrf.json': forged,
    });
    const result = await cheats.grade(files);
    expect(result).toMatchObject({ outcome: 'failed', score: 0 });
    expect(result.checks[0]?.actual).not.toMatch(/[^\P{Cc}\n]/u);
    const graded = { name: 'me', durationMs: 1, memoryPeakBytes: null, result, refusal: null };
    const junit = formatReport([graded], {
      format: 'junit',
      color: false,
      lab: cheats.lab.id,
      many: false,
      version: '0',
      generated: new Date(),
    });
    expect(junit.match(/<testsuite /g)).toHaveLength(1);
    expect(junit).not.toContain('\u001b');
  });

  it('links and archives that lead out of it are refused before there is a sandbox', async () => {
    const folder = join(cheats.home, 'links');
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch');
    symlinkSync('../..', join(folder, 'a/b/up'));
    symlinkSync('a/b/up/..', join(folder, 'out'));
    const tarOf = (header: Parameters<ReturnType<typeof pack>['entry']>[0]): Readable => {
      const archive = pack();
      archive.entry(header);
      archive.finalize();
      return Readable.from(archive, { objectMode: false });
    };
    const submissions = [
      { name: 'links', open: () => ({ dir: folder }) },
      { name: 'traversal', open: () => ({ tar: tarOf({ name: '../../.docker/config.json' }) }) },
      { name: 'absolute', open: () => ({ tar: tarOf({ name: '/home/learner/.bashrc' }) }) },
      { name: 'device', open: () => ({ tar: tarOf({ name: 'disk', type: 'block-device', devmajor: 8 }) }) },
      { name: 'pipe', open: () => ({ tar: tarOf({ name: 'pipe', type: 'fifo' }) }) },
      { name: 'huge', open: () => ({ tar: tarOf({ name: 'x', size: 30e9 }) }) },
      { name: 'hard link', open: () => ({ tar: tarOf({ name: 'x', type: 'link', linkname: '/etc/passwd' }) }) },
    ];
    // No such image: to come as far as making a sandbox would be "ungradable".
    const grader = { ...cheats.grader(), image: 'ballast/none:none' };
    const all = await gradeMany(cheats.lab, submissions, { ...grader, kinds: cheats.base.kinds, jobs: 2 });
    expect(all.map(({ name, refusal }) => [name, refusal?.outcome])).toEqual(
      submissions.map(({ name }) => [name, 'refused']),
    );
  });

  it('an image that nobody can look into, or an error made to look like ours, fails', async () => {
    const big = 'RUN head -c 5000000 /dev/zero | tr "\\0" x > /etc/passwd';
    const dockerfiles = {
      'a list of users past the limit': `FROM golang:1.24\n${big}\nUSER 1000\n`,
      "the engine's words": 'FROM golang:1.24\nCOPY ["Cannot connect to the Docker daemon", "/"]\n',
    };
    const submissions = await Promise.all(
      Object.entries(dockerfiles).map(async ([name, dockerfile]) => {
        const files = await cheats.over({ Dockerfile: dockerfile });
        return { name, open: () => ({ files }) };
      }),
    );
    const all = await gradeMany(cheats.only('image-built', 'non-root'), submissions, {
      ...cheats.grader(),
      kinds: cheats.base.kinds,
      jobs: 2,
    });
    expect(all.map(({ name, result }) => [name, result?.outcome])).toEqual(
      submissions.map(({ name }) => [name, 'failed']),
    );
    const [users, words] = all.map(({ result }) => result?.checks.find(({ status }) => status === 'fail')?.actual);
    expect(users).toContain('/etc/passwd is larger than 4 MiB');
    expect(words).toContain('not found');
  });

  it("an answer fetched from the learner's engine, from a URL or by another BuildKit is not to be had", async () => {
    const dockerfiles = {
      'from the image': 'FROM greeter\n',
      'from a copy': 'FROM golang:1.24\nCOPY --from=greeter /greeter /greeter\n',
      'from a URL': 'FROM golang:1.24\nADD http://127.0.0.1:8080/greeter /greeter\n',
      'by another BuildKit': '# syntax=docker/dockerfile:1\nFROM golang:1.24\n',
    };
    const submissions = await Promise.all(
      Object.entries(dockerfiles).map(async ([name, dockerfile]) => {
        const files = await cheats.over({ Dockerfile: dockerfile });
        return { name, open: () => ({ files }) };
      }),
    );
    const all = await gradeMany(cheats.only('image-built'), submissions, {
      ...cheats.grader(),
      kinds: cheats.base.kinds,
      jobs: 2,
    });
    const hints = Object.fromEntries(all.map(({ name, result }) => [name, result?.checks[0]?.hint]));
    expect(all.map(({ result }) => result?.outcome)).toEqual(submissions.map(() => 'failed'));
    expect(hints['from the image']).toContain('neither in this sandbox nor a stage');
    expect(hints['from a copy']).toContain('neither in this sandbox nor a stage');
    expect(hints['from a URL']).toContain('has no network');
    expect(hints['by another BuildKit']).toContain('Delete that line');
  });
});
