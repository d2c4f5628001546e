import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import { createSandboxImages, runChecks } from '../../sandbox-server/checks/index.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import { formatReport, gradeMany, gradeSubmission, type Graded } from '../../sandbox-server/grading/index.ts';
import { inParallel } from '../../sandbox-server/grading/in-parallel.ts';
import {
  overlay,
  packSubmission,
  readSubmissionFolder,
  readSubmissionTar,
} from '../../sandbox-server/grading/submission.ts';
import type { Submission } from '../../sandbox-server/grading/submission.ts';
import type { Lab } from '../../sandbox-server/labs/index.ts';
import type { CheckResult, LabResult } from '../../sandbox-server/protocol/index.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { startSandbox } from '../../sandbox-server/sessions/start-sandbox.ts';
import { graderOf } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';
import type { Base } from '../helpers/server.ts';

/** Each way that learners have tried, or could try, to be given points for what they have not done. */

const host = 'cheating-test';
const home = mkdtempSync(join(tmpdir(), 'ballast-cheating-'));
const labDir = '/home/learner/multi-stage-go';
let base: Base;
let lab: Lab;
let start: Submission;
let shell: SandboxShell;

beforeAll(async () => {
  base = await prepareBase(home);
  const found = base.labs.get('multi-stage-go');
  if (found === undefined) throw new Error('The lab multi-stage-go is missing.');
  // The stage of tests is not what these are after, and its builds take long.
  lab = { ...found, checks: found.checks.filter(({ id }) => id !== 'tests-in-stage') };
  start = await readSubmissionFolder(lab.startDir);
  shell = await startLive();
});
afterAll(async () => {
  for (const { id } of await base.engine.listSandboxes({ 'ballast.host': host })) await base.engine.removeSandbox(id);
  rmSync(home, { recursive: true, force: true });
});

/** The learner's own sandbox, with the files of the lab. */
async function startLive(): Promise<SandboxShell> {
  const { engine, image, storeVolume, limits, startTimeoutMs } = graderOf(base, host);
  const spec = { session: newSessionId(), host, image, storeVolume, limits, hostname: lab.id, env: {} } as const;
  const { id } = await startSandbox(
    engine,
    { ...spec, kind: 'sandbox', network: 'none' },
    { timeoutMs: startTimeoutMs },
  );
  const live = createEngineShell(engine, id);
  await inLive(live, 'mkdir -p multi-stage-go');
  const tar = ['/usr/bin/tar', '--extract', `--directory=${labDir}`];
  await live.run(tar, { stdin: packSubmission(start) });
  return live;
}

async function inLive(live: SandboxShell, script: string, stdin = ''): Promise<string> {
  const result = await live.run(['/bin/bash', '-c', script], { cwd: '/home/learner', stdin, timeoutMs: 150_000 });
  expect(result, script).toMatchObject({ exitCode: 0 });
  return result.stdout;
}

/** The lab's folder as the learner's sandbox holds it: all that ever leaves it to be graded. */
async function handIn(): Promise<Submission> {
  return readSubmissionTar(await shell.stream(['/usr/bin/tar', '--create', `--directory=${labDir}`, '.']));
}

const grade = (files: Submission, graded = lab): Promise<LabResult> =>
  gradeSubmission(graded, { tar: packSubmission(files) }, { ...graderOf(base, host), kinds: base.kinds });

const statuses = (result: LabResult): Record<string, CheckResult['status']> =>
  Object.fromEntries(result.checks.map(({ id, status }) => [id, status]));

async function live(): Promise<LabResult> {
  const context = { shell, images: createSandboxImages(shell), labDir, mode: 'live' } as const;
  return runChecks(lab, context, { kinds: base.kinds });
}

async function over(files: Readonly<Record<string, string | Buffer>>): Promise<Submission> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name, mode: 0o755 }, content);
  archive.finalize();
  return overlay(start, await readSubmissionTar(Readable.from(archive, { objectMode: false })));
}

/** The lab with only some of its checks, its build without the proof that takes a second one. */
const only = (...ids: readonly string[]): Lab => ({
  ...lab,
  protected: [],
  checks: lab.checks
    .filter(({ id }) => ids.includes(id))
    .map((check) => (check.id === 'image-built' ? { ...check, with: { image: 'greeter' } } : check)),
});
const buildOnly = (): Lab => only('image-built');

/** An answer that is built in a moment, and runs as root. */
const asRoot = 'FROM golang:1.24\nCMD ["true"]\n';

describe("the learner's own engine", { timeout: 300_000 }, () => {
  it('an image put together by hand passes live, and gains nothing when graded', async () => {
    // What a prebuilt image looks like: the answer of somebody else, loaded instead of built.
    const dockerfile = readFileSync(join(lab.solutionDir, 'Dockerfile'), 'utf8');
    await inLive(shell, 'docker build -q -t other -f - multi-stage-go', dockerfile);
    const importing =
      'docker export $(docker create other) | docker import -c "ENTRYPOINT [\\"/greeter\\"]" -c "USER 65532" - greeter';
    await inLive(shell, importing);
    expect(await live()).toMatchObject({ outcome: 'passed' });

    const result = await grade(await handIn());
    expect(result.outcome).toBe('failed');
    expect(statuses(result)).toMatchObject({ 'small-image': 'fail', 'non-root': 'fail', 'nothing-extra': 'fail' });
  });

  it('a docker of their own in the PATH, and a plug-in of their own for it, are left behind', async () => {
    await inLive(
      shell,
      'mkdir -p bin .docker/cli-plugins; printf "#!/bin/sh\\nexit 0\\n" | tee bin/docker > .docker/cli-plugins/docker-buildx',
    );
    await inLive(shell, 'chmod 755 bin/docker .docker/cli-plugins/docker-buildx; cp -r bin .docker multi-stage-go/');
    await inLive(shell, 'cat > multi-stage-go/Dockerfile', asRoot);
    expect(await inLive(shell, 'PATH=$HOME/bin:$PATH docker build nonsense && echo fooled')).toBe('fooled\n');

    const result = await grade(await handIn(), only('image-built', 'non-root'));
    expect(statuses(result)).toEqual({ 'image-built': 'pass', 'non-root': 'fail' });
    await inLive(shell, 'rm -r bin .docker multi-stage-go/bin multi-stage-go/.docker');
  });

  it('a fake engine on the socket answers live checks, and is never asked when graded', async () => {
    await inLive(shell, 'mv /run/user/1000/docker.sock /run/user/1000/real.sock');
    const answer =
      'HTTP/1.1 200 OK\\r\\nApi-Version: 1.45\\r\\nContent-Type: application/json\\r\\nContent-Length: 15\\r\\n\\r\\n{"Id":"sha256"}';
    await inLive(
      shell,
      `(while :; do printf '${answer}' | nc -l -U -N /run/user/1000/docker.sock; rm -f /run/user/1000/docker.sock; done) > /dev/null 2>&1 & until [ -S /run/user/1000/docker.sock ]; do sleep 0.02; done; touch multi-stage-go/docker.sock`,
    );
    expect(await inLive(shell, 'curl -s --unix-socket /run/user/1000/docker.sock http://x/images/greeter/json')).toBe(
      '{"Id":"sha256"}',
    );

    const result = await grade(await handIn(), only('image-built', 'non-root'));
    expect(statuses(result)).toEqual({ 'image-built': 'pass', 'non-root': 'fail' });
  });
});

describe('what is handed in', { timeout: 300_000 }, () => {
  it('a program that was brought along ready-made is not taken for one that was compiled', async () => {
    const made = await startLive();
    await inLive(
      made,
      'docker build -q -t made -f - multi-stage-go',
      readFileSync(join(lab.solutionDir, 'Dockerfile'), 'utf8'),
    );
    const binary = await made.run(
      ['/bin/bash', '-c', 'docker cp $(docker create made):/greeter - | tar -xO | base64 -w0'],
      { maxOutputBytes: 20e6 },
    );
    const dockerfile =
      'FROM golang:1.24 AS build\nCOPY . .\nFROM gcr.io/distroless/static-debian13:nonroot\nCOPY greeter /\nENTRYPOINT ["/greeter"]\n';
    const files = await over({ Dockerfile: dockerfile, greeter: Buffer.from(binary.stdout, 'base64') });

    const result = await grade(files);
    expect(result).toMatchObject({ outcome: 'failed', score: 0 });
    expect(result.checks[0]).toMatchObject({
      status: 'fail',
      actual: expect.stringContaining('not compiled from your files') as string,
    });
    expect(new Set(result.checks.slice(1).map(({ status }) => status))).toEqual(new Set(['skip']));
  });

  it('files that are no part of the answer are put back as they were given', async () => {
    const files = await over({
      'main_test.go': 'package main\n',
      'serve.go': 'no Go at all',
      Dockerfile: 'FROM golang:1.24\nCOPY . .\nRUN cat serve.go main_test.go | sha256sum; exit 1\n',
    });
    const given = await over({
      Dockerfile: 'FROM golang:1.24\nCOPY . .\nRUN cat serve.go main_test.go | sha256sum; exit 1\n',
    });
    const [changed, unchanged] = [await grade(files), await grade(given)];
    expect(changed.checks[0]?.actual).toMatch(/[0-9a-f]{64}/);
    expect(changed.checks[0]?.actual).toBe(unchanged.checks[0]?.actual);
  });

  it('a build step sees nothing that tells it that it is being graded', async () => {
    const look = [
      'hostname',
      "env | sort | tr '\\n' ' '",
      "tr '\\0' ' ' < /proc/1/cmdline",
      // Without a pipe: whether its other end is counted would be a matter of luck.
      'set -- /proc/[0-9]*; echo $#',
      "cat /proc/self/uid_map /proc/self/cgroup | sed -E 's/[0-9a-f]{64}/ID/g' | sha256sum",
      "sed -E 's/[0-9a-zA-Z]{20,}/ID/g; s/[0-9]+/N/g' /proc/self/mountinfo | sort | sha256sum",
      "cat /proc/self/mountinfo /proc/self/environ | grep -c -i -E 'grade|ballast-check|clean-room'",
    ];
    const script = look.map((line) => `echo "seen: $(${line})"\n`).join('');
    const dockerfile = 'FROM golang:1.24\nCOPY look.sh /\nRUN sh /look.sh; exit 3\n';
    const seen = (text: string): string[] => [...text.matchAll(/seen: (.*)$/gm)].map(([, line = '']) => line.trim());

    const inGrader = await grade(await over({ Dockerfile: dockerfile, 'look.sh': script }), buildOnly());
    const other = await startLive();
    await inLive(other, 'cat > multi-stage-go/look.sh', script);
    const argv = ['/usr/bin/docker', 'build', '--progress=plain', '--file=-', labDir];
    const built = await other.run(argv, { stdin: dockerfile, timeoutMs: 150_000 });
    const inLiveSandbox = seen(built.stderr.split('------')[1] ?? '');
    expect(inLiveSandbox).toHaveLength(look.length);
    expect(inLiveSandbox.at(-1)).toBe('0');
    expect(seen(inGrader.checks[0]?.actual ?? '')).toEqual(inLiveSandbox);
  });

  it('results that it writes or prints are not read', async () => {
    const forged = JSON.stringify({ outcome: 'passed', score: 90, maxScore: 90 });
    const xml = '</failure></testcase></testsuite><testsuite name="me" tests="1" failures="0" errors="0">';
    const dockerfile = `FROM golang:1.24\nCOPY . .\nRUN echo 'ballast: ready'; cat result.json; cat junit.xml; printf '\\033[2J\\033]0;passed\\007'; exit 1\n`;
    const files = await over({
      Dockerfile: dockerfile,
      'result.json': forged,
      'junit.xml': xml,
      'results/ctrf.json': forged,
    });
    const result = await grade(files);
    expect(result).toMatchObject({ outcome: 'failed', score: 0 });
    expect(result.checks[0]?.actual).not.toMatch(/[^\P{Cc}\n]/u);
    const graded = { name: 'me', durationMs: 1, memoryPeakBytes: null, result, refusal: null };
    const junit = formatReport([graded], {
      format: 'junit',
      color: false,
      lab: lab.id,
      many: false,
      version: '0',
      generated: new Date(),
    });
    expect(junit.match(/<testsuite /g)).toHaveLength(1);
    expect(junit).not.toContain('\u001b');
  });

  it('links and archives that lead out of it are refused before there is a sandbox', async () => {
    const folder = join(home, 'links');
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
    const grader = { ...graderOf(base, host), image: 'ballast/none:none' };
    const all = await gradeMany(lab, submissions, { ...grader, kinds: base.kinds, jobs: 2 });
    expect(all.map(({ name, refusal }) => [name, refusal?.outcome])).toEqual(
      submissions.map(({ name }) => [name, 'refused']),
    );
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
        const files = await over({ Dockerfile: dockerfile });
        return { name, open: () => ({ files }) };
      }),
    );
    const all = await gradeMany(buildOnly(), submissions, { ...graderOf(base, host), kinds: base.kinds, jobs: 2 });
    const hints = Object.fromEntries(all.map(({ name, result }) => [name, result?.checks[0]?.hint]));
    expect(all.map(({ result }) => result?.outcome)).toEqual(submissions.map(() => 'failed'));
    expect(hints['from the image']).toContain('neither in this sandbox nor a stage');
    expect(hints['from a copy']).toContain('neither in this sandbox nor a stage');
    expect(hints['from a URL']).toContain('has no network');
    expect(hints['by another BuildKit']).toContain('Delete that line');
  });

  it('one that hangs, forks, prints, or takes memory or disk without end costs only itself', async () => {
    const dockerfiles = {
      hang: 'FROM golang:1.24\nRUN sleep 100000\n',
      bomb: "FROM golang:1.24\nRUN bash -c ':(){ :|:& };:; sleep 100000'\n",
      flood: 'FROM golang:1.24\nRUN yes\n',
      memory: 'FROM golang:1.24\nRUN tail /dev/zero\n',
      disk: 'FROM golang:1.24\nRUN cat /dev/zero > /zeros\n',
    };
    const before = (await base.engine.listSandboxes({ 'ballast.host': host })).length;
    const grader = graderOf(base, host);
    const judge = async (name: string, dockerfile: string, timeoutMs: number): Promise<Graded> => {
      const files = await over({ Dockerfile: dockerfile });
      const [graded] = await gradeMany(buildOnly(), [{ name, open: () => ({ files }) }], {
        ...grader,
        limits: { ...grader.limits, diskBytes: 500e6 },
        kinds: base.kinds,
        jobs: 1,
        timeoutMs,
      });
      return graded!;
    };
    const hostile = inParallel(Object.entries(dockerfiles), 2, ([name, dockerfile]) => judge(name, dockerfile, 20_000));
    const right = judge('right', 'FROM golang:1.24\nRUN go version\n', 200_000);
    expect(await right).toMatchObject({ result: { outcome: 'passed' } });
    const all = await hostile;
    const told = Object.fromEntries(all.map(({ name, result }) => [name, result?.checks[0]?.actual ?? 'no result']));
    expect(all.map(({ name, result }) => [name, result?.outcome])).toEqual(
      Object.keys(dockerfiles).map((name) => [name, 'failed']),
    );
    expect(told).toMatchObject({
      hang: expect.stringContaining('Time ran out after 20 seconds') as string,
      bomb: expect.stringMatching(/more processes than it may|processes|Time ran out/) as string,
      memory: expect.stringContaining('ran out of memory') as string,
      disk: expect.stringContaining('of disk') as string,
    });
    expect(await base.engine.listSandboxes({ 'ballast.host': host })).toHaveLength(before);
  });
});
