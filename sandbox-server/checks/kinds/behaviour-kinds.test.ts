import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { BuildStep } from '../build-steps.ts';
import type { BuildOutcome } from '../docker-build.ts';
import { parseStages } from '../dockerfile.ts';
import type { Stage } from '../dockerfile.ts';
import { parseProcesses } from '../container-processes.ts';
import { parseAnswer } from '../http-probe.ts';
import { readServerLog } from '../lab-authority.ts';
import { countCertificates } from './ca-certificates.ts';
import { judgeCache } from './cache.ts';
import { exitMeaning, judgeOutput } from './command-output.ts';
import { judgeText } from './file-content.ts';
import { healthHint, paceOf, parseHealth } from './healthcheck.ts';
import { buildCommand } from './image-built.ts';
import { judgeZombies } from './no-zombies.ts';
import { findAnswer } from './quiz-answer.ts';
import { hardenedOptions, hardeningHint } from './runs-hardened.ts';
import { compare } from './serves-http.ts';
import { judgeBroken } from './stage-fails.ts';
import { judgeShape } from './stages.ts';
import { termHint } from './stops-in-time.ts';
import { judgeStranger, languageOf, untrustedHint } from './tls-call.ts';

it('ca-certificates counts what is valid, what is not valid now and what is broken', () => {
  const [certificate = ''] = rootCertificates;
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  const within = new Date((validFromDate.getTime() + validToDate.getTime()) / 2);
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
  const bundle = `# a name\n${certificate}\n${broken}\n${certificate}\n`;
  // The same one again is no other authority.
  expect(countCertificates(bundle, within)).toEqual({ valid: 1, expired: 0, broken: 1 });
  expect(countCertificates(bundle, new Date(validToDate.getTime() + 1))).toEqual({ valid: 0, expired: 1, broken: 1 });
  expect(countCertificates(bundle, new Date(validFromDate.getTime() - 1))).toEqual({ valid: 0, expired: 1, broken: 1 });
  expect(countCertificates('', within)).toEqual({ valid: 0, expired: 0, broken: 0 });
});

describe('stages', () => {
  const found = parseStages(`
FROM golang:1.24 AS Build
COPY go.mod ./
FROM build AS test
FROM gcr.io/distroless/static-debian13:nonroot AS base
FROM base
COPY --chown=1:1 --from=build /out/greeter /greeter
COPY --from=0 ["/etc/a b", "/etc/"]
`);
  const none = { named: [], copies: [] };

  it('sees what is copied from where, in either form', () => {
    expect(found.map(({ copies }) => copies)).toEqual([
      [{ from: '', sources: ['go.mod'] }],
      [],
      [],
      [
        { from: 'build', sources: ['/out/greeter'] },
        { from: '0', sources: ['/etc/a b'] },
      ],
    ]);
  });

  it.each([
    [{ ...none, min: 4, max: 4, named: ['build', 'test'] }],
    [{ ...none, copies: [{ from: 'build' }, { from: 'build', path: 'out/*' }, { from: 'build', path: 'etc/**' }] }],
    [{ ...none, finalFrom: ['scratch', 'gcr.io/distroless/*'] }],
  ])('is content with %o', (wanted) => {
    expect(judgeShape(found, wanted)).toBeUndefined();
  });

  it.each([
    [{ ...none, min: 5 }, /4 stages: "build" from golang:1.24, "test"/],
    [{ ...none, max: 3 }, /4 stages/],
    [{ ...none, named: ['lint'] }, /4 stages/],
    [{ ...none, copies: [{ from: 'test' }] }, /The last stage copies from "build", "0"\./],
    [{ ...none, copies: [{ from: 'build', to: 'test' }] }, /The stage "test" copies nothing from another stage/],
    [{ ...none, copies: [{ from: 'build', to: 'nope' }] }, /no stage "nope"/],
    [{ ...none, copies: [{ from: 'build', path: 'go.mod' }] }, /copies \/out\/greeter, \/etc\/a b from "build"/],
    [{ ...none, finalFrom: ['scratch'] }, /The last stage is from gcr\.io\/distroless\/static-debian13:nonroot\./],
  ])('says what is wrong for %o', (wanted, actual) => {
    const wrong = judgeShape(found, wanted);
    expect(wrong?.actual).toMatch(actual);
    expect(wrong?.hint).not.toBe('');
  });

  it('takes an empty Dockerfile for what it is', () => {
    expect(judgeShape([], { ...none, min: 1 })?.actual).toBe('It has 0 stages.');
    expect(judgeShape([], { ...none, finalFrom: ['scratch'] })?.actual).toBe('The last stage is from no image.');
  });
});

describe('cache', () => {
  const step = (name: string, cached: boolean, inputs: string[] = []): BuildStep => {
    const [, stage = '', instruction = ''] = /^\[(\S+) \S+\] (.*)$/.exec(name) ?? [];
    return { name, stage, instruction, cached, inputs };
  };
  const steps = [
    step('[build 1/4] COPY go.mod ./', true),
    step('[build 2/4] RUN go mod download', true, ['[build 1/4] COPY go.mod ./']),
    step('[build 3/4] COPY . .', false, ['[build 2/4] RUN go mod download']),
    step('[build 4/4] RUN go build', false, ['[build 3/4] COPY . .']),
    step('[stage-1 1/2] RUN echo', true),
    step('[stage-1 2/2] COPY --from=build /out /', false, ['[stage-1 1/2] RUN echo', '[build 4/4] RUN go build']),
  ];

  it.each([
    [['mod download'], ['COPY . .'], undefined, undefined],
    [['go build'], [], /\[build 4\/4\] RUN go build ran anew/, /"COPY \. \." takes main.go along.* steps after it/],
    [['COPY . .'], [], /\[build 3\/4\] COPY \. \. ran anew/, /takes main.go along itself/],
    [['--from=build'], [], /COPY --from=build .* ran anew/, /all that builds on the stage "build" run anew/],
    [[], ['mod download'], /RUN go mod download still came from the cache/, /\.dockerignore/],
    [['npm ci'], [], /No step has "npm ci"/, /needs a step/],
  ])('cached %o, run %o', (cached, runs, actual, hint) => {
    const wrong = judgeCache(steps, { change: 'main.go', cached, runs });
    if (actual === undefined) expect(wrong).toBeUndefined();
    else
      expect(wrong).toMatchObject({
        actual: expect.stringMatching(actual) as string,
        hint: expect.stringMatching(hint) as string,
      });
  });

  it('says with `exactly` which other step ran anew', () => {
    const wanted = { change: 'main.go', cached: [], exactly: true };
    expect(judgeCache(steps, { ...wanted, runs: ['COPY . .', 'go build', '--from=build'] })).toBeUndefined();
    expect(judgeCache(steps, { ...wanted, runs: ['COPY . .', 'go build'] })?.actual).toMatch(
      /COPY --from=build .* ran anew/,
    );
  });
});

describe('stage-fails', () => {
  const failure = {
    step: '[lint 2/2] RUN lint',
    stage: 'lint',
    instruction: 'RUN lint',
    line: 3,
    exitCode: 1,
    error: '',
    output: 'bad indent',
  };
  const failed = (more: Partial<typeof failure> = {}): BuildOutcome => ({
    status: 'failed',
    log: '',
    failure: { ...failure, ...more },
  });
  const wanted = { target: 'lint', replace: 'main.sh', says: 'bad indent' };
  it.each([
    [failed(), undefined],
    [failed({ stage: 'build' }), /in the stage "build"/],
    [failed({ stage: '' }), /before any stage/],
    [failed({ output: 'disk full' }), /for another reason/],
    [{ status: 'built', log: '' } satisfies BuildOutcome, /still builds/],
    [
      { status: 'timed-out', log: '#7 [lint 2/2] RUN sleep 9\n' } satisfies BuildOutcome,
      /did not end.*at \[lint 2\/2\] RUN sleep 9/,
    ],
  ])('%o', (outcome, actual) => {
    const judged = judgeBroken(outcome, wanted);
    if (actual === undefined) expect(judged).toEqual({ step: 'RUN lint' });
    else expect(judged).toMatchObject({ actual: expect.stringMatching(actual) as string });
  });

  const stage = { name: 'lint', from: '', copies: [], runs: ['sh lint.sh main.sh || true'] } as unknown as Stage;
  it.each([
    [{ stage }, '', /"RUN sh lint.sh main.sh \|\| true" throws the exit code away/],
    [{}, 'bad indent', /throws the exit code away/],
    [{}, '', /COPY the file there/],
    [{ stage, leftOut: { file: '.dockerignore', line: '*.sh' } }, '', /\.dockerignore keeps main.sh out .*"\*\.sh"/],
  ])('%o, which still builds and prints %j', (seen, log, hint) => {
    expect(judgeBroken({ status: 'built', log }, wanted, seen)).toMatchObject({
      hint: expect.stringMatching(hint) as string,
    });
  });
});

describe('runs-hardened', () => {
  it('has an option for each kind of hardening, and only for those asked for', () => {
    expect(hardenedOptions({ readOnly: true, dropCapabilities: true, uid: 31_337, tmpfs: ['/tmp'] })).toEqual([
      '--read-only',
      '--tmpfs=/tmp',
      '--cap-drop=ALL',
      '--security-opt=no-new-privileges',
      '--user=31337:31337',
    ]);
    expect(hardenedOptions({ readOnly: false, dropCapabilities: false, uid: null, tmpfs: [] })).toEqual([]);
  });
  it.each([
    ['open /var/log/x.log: read-only file system', /writes to \/var\/log\/x\.log of the image.*volume/],
    ["Error: EROFS: read-only file system, open '/data/db'", /writes to \/data\/db of/],
    ["/bin/sh: can't create /tmp/x: Read-only file system", /writes to \/tmp\/x of/],
    ['listen: EACCES', /wants a file or a port.*readable for all/],
    ['/x: Permission denied', /wants \/x, .*readable for all/],
    ['chown: Operation not permitted', /privilege/],
  ])('explains %j', (text, hint) => {
    expect(hardeningHint(text)).toMatch(hint);
  });
  it('says nothing where nothing is known', () => {
    expect(hardeningHint('boom')).toBeUndefined();
  });
});

it('no-zombies reads the processes of one container out of the table of all', () => {
  const table = `  311   300 Ss   tini
  312   311 S    server
  400   311 Z    sleep <defunct>
  401   312 R    my worker
  500     1 Z    other
`;
  expect(parseProcesses(table, 311)).toEqual([
    { pid: 311, parent: 300, state: 'Ss', command: 'tini' },
    { pid: 312, parent: 311, state: 'S', command: 'server' },
    { pid: 400, parent: 311, state: 'Z', command: 'sleep' },
    { pid: 401, parent: 312, state: 'R', command: 'my worker' },
  ]);
  expect(parseProcesses('1 1 S loop\n', 1)).toHaveLength(1);
  expect(parseProcesses(table, 7)).toEqual([]);
});

it.each([
  ['tini', 2, 'server', /Their parent is server, which lives/, /An init is there.*Let server wait/],
  ['server', 1, 'server', /Process 1 is server, their parent now/, /init such as tini.*let server wait/],
  ['node', 1, 'node', /Process 1 is node/, /node waits for what it started itself/],
  ['sh', 1, 'sh', /Process 1 is sh/, /shell as process 1/],
])('no-zombies under %s blames the parent %i, %s', (process1, parent, command, actual, hint) => {
  const first = { pid: 1, parent: 0, state: 'S', command: process1 };
  const zombie = { pid: 9, parent, state: 'Z', command: 'sleep' };
  const all = [first, ...(parent === 1 ? [] : [{ pid: parent, parent: 1, state: 'S', command }]), zombie];
  const judged = judgeZombies({ zombies: [zombie], all, first });
  expect(judged.actual).toMatch(actual);
  expect(judged.hint).toMatch(hint);
});

it.each([
  [
    '{"Running":true,"Health":{"Status":"healthy","Log":[{"Output":"ok\\n","ExitCode":0,"Start":"now"}]}}',
    { status: 'healthy', output: 'ok', exitCode: 0, start: 'now' },
  ],
  [
    '{"Running":false,"Health":{"Status":"healthy","Log":null}}',
    { status: 'exited', output: '', exitCode: null, start: '' },
  ],
  ['{"Running":true}', { status: 'without a health check', output: '', exitCode: null, start: '' }],
])('healthcheck reads %s', (json, health) => {
  expect(parseHealth(json)).toEqual(health);
});

it.each([
  [0, 10_000],
  [2000, 2000],
  [60_000, 10_000],
])('healthcheck gives a check that declares a time-out of %i ms %i ms', (timeoutMs, probeMs) => {
  expect(paceOf({ timeoutMs })).toMatchObject({
    probeMs,
    options: expect.arrayContaining([`--health-timeout=${String(probeMs)}ms`]) as string[],
  });
});

it.each([
  [{ output: 'exec: "curl": executable file not found in $PATH', exitCode: -1 }, [], /not in the image: "\/up -x"/],
  [{ output: '', exitCode: 1 }, [], /"\/up -x" ends with exit code 1.*Nothing in the container listens/],
  [
    { output: '', exitCode: 1 },
    [{ port: 9090, loopbackOnly: false }],
    /listens on 9090.*docker exec <container> \/up -x/,
  ],
  [{ output: '', exitCode: -1 }, [{ port: 80, loopbackOnly: true }], /takes too long/],
])('healthcheck explains %o with %o', (health, listening, hint) => {
  expect(healthHint(health, '/up -x', listening)).toMatch(hint);
});

it('image-built names the Dockerfile where it is another', () => {
  expect(buildCommand('diet:scratch', '.', 'Dockerfile.scratch')).toBe(
    'docker build -t diet:scratch -f Dockerfile.scratch .',
  );
  expect(buildCommand('x', 'app', 'Dockerfile')).toBe('docker build -t x app');
  expect(buildCommand('x', 'app', 'other')).toBe('docker build -t x -f app/other app');
});

it.each([
  [{ entrypoint: ['/bin/sh', '-c', '/serve'], cmd: [] }, 'sh', /shell form/],
  [{ entrypoint: ['/start.sh'], cmd: [] }, 'sh', /start script/],
  [{ entrypoint: ['npm', 'start'], cmd: [] }, 'npm start', /Start the service itself/],
  // A shell that has become the program has passed nothing on because it is no longer there.
  [{ entrypoint: [], cmd: ['/bin/sh', '-c', 'exec /serve'] }, 'serve', /Process 1 is serve, which .*Handle SIGTERM/],
  [{ entrypoint: ['/serve'], cmd: [] }, '', /^The first process gets/],
])('stops-in-time explains %o with %j as process 1', (config, first, hint) => {
  expect(termHint(config, first)).toMatch(hint);
});

describe('command-output', () => {
  it.each([
    [{ timedOut: true, exitCode: 124 }, /does not end/],
    [{ timedOut: false, exitCode: 127 }, /not there/],
    [{ timedOut: false, exitCode: 137, outOfMemory: true }, /because the sandbox ran out of memory/],
    [{ timedOut: false, exitCode: 137, outOfMemory: false }, /not short of memory/],
    [{ timedOut: false, exitCode: 137 }, /most likely/],
    [{ timedOut: false, exitCode: 139 }, /SIGSEGV/],
    [{ timedOut: false, exitCode: 140 }, /signal 12/],
    [{ timedOut: false, exitCode: 1 }, /^$/],
  ])('%o', (answer, meaning) => {
    expect(exitMeaning(answer)).toMatch(meaning);
  });

  const ended = { timedOut: false, exitCode: 0, output: 'hello\n' };
  const wanted = { exitCode: 0, within: 5000 };
  it.each([
    [ended, { ...wanted, equals: 'hello' }, undefined],
    [ended, { ...wanted, contains: 'ell' }, undefined],
    [ended, { ...wanted, equals: 'hell' }, /It printed:\nhello/],
    [ended, { ...wanted, contains: 'bye' }, /hello/],
    [{ ...ended, exitCode: 3, output: '' }, wanted, /exit code 3\. It printed nothing/],
    [{ ...ended, timedOut: true }, wanted, /after 5 seconds/],
  ])('%o, wanted %o', (answer, parameters, wrong) => {
    const judged = judgeOutput(answer, parameters);
    if (wrong === undefined) expect(judged).toBeUndefined();
    else expect(judged).toMatch(wrong);
  });
});

it.each([
  [{ equals: 'a=1', contains: [], lacks: [] }, undefined],
  [{ contains: ['a='], lacks: ['b'] }, undefined],
  [{ contains: ['b'], lacks: [] }, /does not hold "b"/],
  [{ contains: [], lacks: ['a'] }, /holds "a"/],
  [{ equals: 'x', contains: [], lacks: [] }, /It begins:\na=1/],
])('file-content %o', (wanted, wrong) => {
  const judged = judgeText('a=1\n', wanted);
  if (wrong === undefined) expect(judged).toBeUndefined();
  else expect(judged).toMatch(wrong);
});

it('quiz-answer takes the last line that answers', () => {
  const text = 'layers: 3\n layers :  Four: 4 \nother: x\n# layers\n';
  expect(findAnswer(text, 'layers')).toBe('Four: 4');
  expect(findAnswer(text, 'nope')).toBeUndefined();
});

describe('serves-http', () => {
  it('reads an answer from the wire', () => {
    const answer = parseAnswer('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: b: c\r\n\r\nbody\r\n\r\nmore');
    expect(answer?.status).toBe(200);
    expect(answer?.body).toBe('body\r\n\r\nmore');
    expect(answer?.headers.get('x-a')).toBe('b: c');
    expect(parseAnswer('HTTP/1.0 204 No Content\r\n\r\n')?.status).toBe(204);
    expect(parseAnswer('SSH-2.0\r\n')).toBeUndefined();
  });

  it('compares headers', () => {
    const answer = { status: 200, body: '', headers: new Map([['content-type', 'text/plain']]) };
    const wanted = (headers: Record<string, string>) => ({ path: '/', status: 200, headers });
    expect(compare(wanted({ 'Content-Type': 'text' }), answer)).toBeUndefined();
    expect(compare(wanted({ 'Content-Type': 'json' }), answer)).toMatch(/answered with Content-Type: "text\/plain"/);
    expect(compare(wanted({ 'X-A': '' }), answer)).toMatch(/without the header X-A/);
  });
});

describe('a call over TLS', () => {
  it.each([
    ['Using default temp DH parameters\nACCEPT\n', 'nothing'],
    ['ACCEPT\n40:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:…\n', 'refused'],
    ['ACCEPT\nERROR\n', 'refused'],
    ['ACCEPT\nFILE:other\n', 'nothing'],
    ['ACCEPT\nERROR\nFILE:word\n', 'request'],
  ])('is told from what the server printed: %j', (log, seen) => {
    expect(readServerLog(log, 'word')).toBe(seen);
  });

  it('that goes on without trust, and one that is not made, have hints of their own', () => {
    const judged = (seen: 'request' | 'nothing', ended = false) =>
      judgeStranger({ seen, ended, log: 'last words' }, { within: 15_000 }, undefined);
    expect(judged('request').hint).toContain('InsecureSkipVerify');
    expect(judged('nothing').actual).toContain('within 15 seconds');
    expect(judged('nothing', true).actual).toMatch(/ended without.*last words/s);
  });

  it('has hints in the words of the language', () => {
    const config = { entrypoint: ['/usr/bin/python3.13', '-m'], cmd: ['harbour'], env: ['SSL_CERT_FILE=/nowhere'] };
    const contents = { config, packages: [], merged: new Map() } as unknown as Parameters<typeof untrustedHint>[0] &
      Parameters<typeof languageOf>[0];
    expect(languageOf(contents)).toBe('python');
    expect(judgeStranger({ seen: 'request', ended: true, log: '' }, { within: 1 }, 'python').hint).toMatch(
      /Take out verify=False/,
    );
    expect(untrustedHint(contents, 'python')).toMatch(/SSL_CERT_FILE is \/nowhere, where there is no file.*certifi/);
    const go = { system: 'go', name: 'main', version: '', path: 'app' } as const;
    expect(
      languageOf({ ...contents, packages: [go], config: { ...contents.config, entrypoint: ['/app'], cmd: [] } }),
    ).toBe('go');
    expect(
      languageOf({ ...contents, config: { ...contents.config, entrypoint: ['/nodeserver'], cmd: [] } }),
    ).toBeUndefined();
  });
});
