import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { parseBuildSteps } from '../build-steps.ts';
import type { BuildOutcome } from '../docker-build.ts';
import { parseStages } from '../dockerfile.ts';
import { parseAnswer } from '../http-probe.ts';
import { readServerLog } from '../lab-authority.ts';
import { countCertificates } from './ca-certificates.ts';
import { judgeCache } from './cache.ts';
import { judgeOutput } from './command-output.ts';
import { judgeText } from './file-content.ts';
import { parseHealth } from './healthcheck.ts';
import { parseProcesses } from './no-zombies.ts';
import { findAnswer } from './quiz-answer.ts';
import { hardenedOptions, hardeningHint } from './runs-hardened.ts';
import { compare } from './serves-http.ts';
import { judgeBroken } from './stage-fails.ts';
import { judgeShape } from './stages.ts';
import { judgeStranger } from './tls-call.ts';

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
  const log = `#0 building with "default" instance using docker driver
#4 [internal] load build context
#4 DONE 0.1s
#5 [build 1/4] FROM docker.io/library/golang:1.24
#5 CACHED
#6 [build 2/4] COPY go.mod ./
#6 CACHED
#7 [build 3/4] RUN go mod download
#7 CACHED
#8 [build 4/4] COPY . .
#8 DONE 0.2s
#9 [linux/amd64 stage-1 2/2] RUN echo "#7 DONE 0.0s"
#9 0.312 #6 DONE 0.0s
#9 DONE 1.0s
#10 exporting to image
#10 DONE 0.0s
`;
  const steps = parseBuildSteps(log);

  it('reads which steps were cached, and is not fooled by what they print', () => {
    expect(steps.map(({ stage, instruction, cached }) => [stage, instruction, cached])).toEqual([
      ['build', 'COPY go.mod ./', true],
      ['build', 'RUN go mod download', true],
      ['build', 'COPY . .', false],
      ['stage-1', 'RUN echo "#7 DONE 0.0s"', false],
    ]);
  });

  it.each([
    [['mod download'], ['COPY . .'], undefined, undefined],
    [['COPY . .'], [], /\[build 4\/4\] COPY \. \. ran anew/, /"COPY \. \." takes main.go along/],
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
    [{ status: 'timed-out', log: '' } satisfies BuildOutcome, /did not end/],
  ])('%o', (outcome, actual) => {
    const judged = judgeBroken(outcome, wanted);
    if (actual === undefined) expect(judged).toEqual({ step: 'RUN lint' });
    else expect(judged).toMatchObject({ actual: expect.stringMatching(actual) as string });
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
    ['open /x: read-only file system', /volume/],
    ['/x: Permission denied', /readable for all/],
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
    { pid: 311, state: 'Ss', command: 'tini' },
    { pid: 312, state: 'S', command: 'server' },
    { pid: 400, state: 'Z', command: 'sleep' },
    { pid: 401, state: 'R', command: 'my worker' },
  ]);
  expect(parseProcesses('1 1 S loop\n', 1)).toHaveLength(1);
  expect(parseProcesses(table, 7)).toEqual([]);
});

it.each([
  ['{"Running":true,"Health":{"Status":"healthy","Log":[{"Output":"ok\\n"}]}}', { status: 'healthy', output: 'ok' }],
  ['{"Running":false,"Health":{"Status":"healthy","Log":null}}', { status: 'exited', output: '' }],
  ['{"Running":true}', { status: 'without a health check', output: '' }],
])('healthcheck reads %s', (json, health) => {
  expect(parseHealth(json)).toEqual(health);
});

describe('command-output', () => {
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
      judgeStranger({ seen, ended, log: 'last words' }, { within: 15_000 });
    expect(judged('request').hint).toContain('InsecureSkipVerify');
    expect(judged('nothing').actual).toContain('within 15 seconds');
    expect(judged('nothing', true).actual).toMatch(/ended without.*last words/s);
  });
});
