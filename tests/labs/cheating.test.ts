import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSandboxImages, runChecks } from '../../sandbox-server/checks/index.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import { gradeMany, type Graded } from '../../sandbox-server/grading/index.ts';
import { inParallel } from '../../sandbox-server/grading/in-parallel.ts';
import { readSubmissionTar } from '../../sandbox-server/grading/submission.ts';
import type { Submission } from '../../sandbox-server/grading/submission.ts';
import type { CheckResult, LabResult } from '../../sandbox-server/protocol/index.ts';
import { asRoot, inLive, labDir, openCheats, type Cheats } from '../helpers/cheats.ts';

/** Ways to be given points for what one has not done, those that take long to try. */

let cheats: Cheats;
let shell: SandboxShell;
beforeAll(async () => {
  cheats = await openCheats('long-cheating-test');
  shell = await cheats.startLive();
});
afterAll(() => cheats[Symbol.asyncDispose]());

/** The lab's folder as the learner's sandbox holds it: all that ever leaves it to be graded. */
async function handIn(): Promise<Submission> {
  return readSubmissionTar(await shell.stream(['/usr/bin/tar', '--create', `--directory=${labDir}`, '.']));
}

const statuses = (result: LabResult): Record<string, CheckResult['status']> =>
  Object.fromEntries(result.checks.map(({ id, status }) => [id, status]));

async function live(): Promise<LabResult> {
  const context = { shell, images: createSandboxImages(shell), labDir, mode: 'live' } as const;
  return runChecks(cheats.lab, context, { kinds: cheats.base.kinds });
}

describe("the learner's own engine", { timeout: 300_000 }, () => {
  it('an image put together by hand passes live, and gains nothing when graded', async () => {
    // What a prebuilt image looks like: the answer of somebody else, loaded instead of built.
    const dockerfile = readFileSync(join(cheats.lab.solutionDir, 'Dockerfile'), 'utf8');
    await inLive(shell, 'docker build -q -t other -f - multi-stage-go', dockerfile);
    const importing =
      'docker export $(docker create other) | docker import -c "ENTRYPOINT [\\"/greeter\\"]" -c "USER 65532" - greeter';
    await inLive(shell, importing);
    expect(await live()).toMatchObject({ outcome: 'passed' });

    const result = await cheats.grade(await handIn());
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

    const result = await cheats.grade(await handIn(), cheats.only('image-built', 'non-root'));
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

    const result = await cheats.grade(await handIn(), cheats.only('image-built', 'non-root'));
    expect(statuses(result)).toEqual({ 'image-built': 'pass', 'non-root': 'fail' });
  });
});

describe('what is handed in', { timeout: 300_000 }, () => {
  /** The solution's program, compiled in a sandbox of its own. */
  let readyMade: Buffer;
  beforeAll(async () => {
    const made = await cheats.startLive();
    await inLive(
      made,
      'docker build -q -t made -f - multi-stage-go',
      readFileSync(join(cheats.lab.solutionDir, 'Dockerfile'), 'utf8'),
    );
    const binary = await made.run(
      ['/bin/bash', '-c', 'docker cp $(docker create made):/greeter - | tar -xO | base64 -w0'],
      { maxOutputBytes: 20e6 },
    );
    readyMade = Buffer.from(binary.stdout, 'base64');
    expect(readyMade.length).toBeGreaterThan(1e6);
  });

  it('a program that was brought along ready-made is not taken for one that was compiled', async () => {
    const dockerfile =
      'FROM golang:1.24 AS build\nCOPY . .\nFROM gcr.io/distroless/static-debian13:nonroot\nCOPY greeter /\nENTRYPOINT ["/greeter"]\n';
    const result = await cheats.grade(await cheats.over({ Dockerfile: dockerfile, greeter: readyMade }));
    expect(result).toMatchObject({ outcome: 'failed', score: 0 });
    expect(result.checks[0]).toMatchObject({
      status: 'fail',
      actual: expect.stringContaining('not compiled from your files') as string,
    });
    expect(new Set(result.checks.slice(1).map(({ status }) => status))).toEqual(new Set(['skip']));
  });

  it('a build that compiles only where the files are not those it knows is judged by what it compiles', async () => {
    const given = readFileSync(join(cheats.lab.startDir, 'serve.go'));
    const dockerfile = `FROM golang:1.24 AS build
WORKDIR /src
COPY . .
RUN if sha256sum -c known; then cp greeter /out; else CGO_ENABLED=0 go build -o /out .; fi
FROM gcr.io/distroless/static-debian13:nonroot
COPY --from=build /out /greeter
ENTRYPOINT ["/greeter"]
`;
    const files = await cheats.over({
      Dockerfile: dockerfile,
      greeter: readyMade,
      known: `${createHash('sha256').update(given).digest('hex')}  serve.go\n`,
      // What it compiles serves nobody; what it brought along would pass.
      'main.go': 'package main\n\nimport "net/http"\n\nfunc main() { _ = serve(":8080", http.NotFoundHandler()) }\n',
    });
    const result = await cheats.grade(files);
    expect(statuses(result), JSON.stringify(result.checks)).toMatchObject({
      'image-built': 'pass',
      'serves-http': 'fail',
    });
  });

  it('a program that keeps silent when it is to prove itself is asked again once it answers', async () => {
    const dockerfile = `FROM debian:trixie-slim
COPY greeter /greeter
RUN date +%s > /built
ENTRYPOINT ["/bin/sh", "-c", "[ $(( $(date +%s) - $(cat /built) )) -lt 9 ] && sleep 60; exec /greeter"]
`;
    const result = await cheats.grade(await cheats.over({ Dockerfile: dockerfile, greeter: readyMade }));
    expect(result.checks[0]).toMatchObject({
      status: 'pass',
      actual: expect.stringContaining('gave no answer') as string,
    });
    expect(result.checks.find(({ id }) => id === 'serves-http')).toMatchObject({
      status: 'fail',
      actual: expect.stringContaining('not compiled from your files') as string,
    });
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

    const inGrader = await cheats.grade(
      await cheats.over({ Dockerfile: dockerfile, 'look.sh': script }),
      cheats.only('image-built'),
    );
    const other = await cheats.startLive();
    await inLive(other, 'cat > multi-stage-go/look.sh', script);
    const argv = ['/usr/bin/docker', 'build', '--progress=plain', '--file=-', labDir];
    const built = await other.run(argv, { stdin: dockerfile, timeoutMs: 150_000 });
    const inLiveSandbox = seen(built.stderr.split('------')[1] ?? '');
    expect(inLiveSandbox).toHaveLength(look.length);
    expect(inLiveSandbox.at(-1)).toBe('0');
    expect(seen(inGrader.checks[0]?.actual ?? '')).toEqual(inLiveSandbox);
  });

  it('one that hangs, forks, prints, or takes memory or disk without end costs only itself', async () => {
    const dockerfiles = {
      hang: 'FROM golang:1.24\nRUN sleep 100000\n',
      bomb: "FROM golang:1.24\nRUN bash -c ':(){ :|:& };:; sleep 100000'\n",
      flood: 'FROM golang:1.24\nRUN yes\n',
      memory: 'FROM golang:1.24\nRUN tail /dev/zero\n',
      disk: 'FROM golang:1.24\nRUN cat /dev/zero > /zeros\n',
    };
    const before = (await cheats.base.engine.listSandboxes({ 'ballast.host': cheats.host })).length;
    const grader = cheats.grader();
    const judge = async (name: string, dockerfile: string, timeoutMs: number): Promise<Graded> => {
      const files = await cheats.over({ Dockerfile: dockerfile });
      const [graded] = await gradeMany(cheats.only('image-built'), [{ name, open: () => ({ files }) }], {
        ...grader,
        limits: { ...grader.limits, diskBytes: 500e6 },
        kinds: cheats.base.kinds,
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
    expect(
      all.map(({ name, result }) => [name, result?.outcome]),
      JSON.stringify(told),
    ).toEqual(Object.keys(dockerfiles).map((name) => [name, 'failed']));
    expect(told).toMatchObject({
      hang: expect.stringContaining('Time ran out after 20 seconds') as string,
      bomb: expect.stringMatching(/more processes than it may|processes|Time ran out/) as string,
      memory: expect.stringContaining('ran out of memory') as string,
      disk: expect.stringContaining('of disk') as string,
    });
    expect(await cheats.base.engine.listSandboxes({ 'ballast.host': cheats.host })).toHaveLength(before);
  });
});
