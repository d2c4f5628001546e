import { describe, expect, it } from 'vitest';
import { buildHint } from './build-hints.ts';
import { describeFailure, describeTimeout, failureCause, parseBuildFailure } from './build-log.ts';
import { isEngineFault } from './engine-fault.ts';

const failedStep = (step: string, output: string, error: string): string => `#8 ${step}
#8 0.312 ${output}
#8 ERROR: ${error}
------
 > ${step}:
0.312 ${output}
------
Dockerfile:7
--------------------
   6 |     COPY . .
   7 | >>> RUN go build -o /greeter .
--------------------
ERROR: failed to solve: ${error}
`;
const exit = (code: number): string =>
  `process "/bin/sh -c x" did not complete successfully: exit code: ${String(code)}`;

describe('parseBuildFailure', () => {
  it('finds the step, its stage, its line and what it printed', () => {
    const failure = parseBuildFailure(
      failedStep('[build 4/4] RUN go build -o /greeter .', 'main.go:5:2: "os" imported and not used', exit(1)),
    );
    expect(failure).toMatchObject({
      stage: 'build',
      instruction: 'RUN go build -o /greeter .',
      line: 7,
      exitCode: 1,
      output: 'main.go:5:2: "os" imported and not used',
    });
    expect(describeFailure(failure)).toBe(
      'The build failed at [build 4/4] RUN go build -o /greeter . (line 7 of the Dockerfile):\nmain.go:5:2: "os" imported and not used',
    );
  });

  it.each([
    ['[linux/amd64 test 2/2] RUN go test ./...', 'test'],
    ['[stage-2 1/3] COPY a b', 'stage-2'],
    ['[internal] load metadata for docker.io/library/nope:1', ''],
  ])('knows the stage of %s', (step, stage) => {
    expect(parseBuildFailure(failedStep(step, 'x', exit(1))).stage).toBe(stage);
  });

  it('is not fooled by a step that prints what looks like another', () => {
    const log = failedStep('[build 2/2] RUN echo', '------\n#8 0.4  > [test 2/2] RUN go test:', exit(1)).replace(
      '0.312 ------',
      '0.312 ------',
    );
    expect(parseBuildFailure(log).stage).toBe('build');
  });

  it('has a last word even for a log that is none', () => {
    expect(parseBuildFailure('something broke\n')).toMatchObject({
      step: '',
      error: 'something broke',
      exitCode: null,
      line: 0,
    });
  });
});

it('takes what a step printed from where it ran, where the end of the log does not repeat it', () => {
  const log = [
    '#5 [tools 2/2] RUN cmake',
    '#5 0.101 /bin/sh: 1: cmake: not found',
    '#6 0.2 of another step',
    '#5 ERROR: process "/bin/sh -c cmake" did not complete successfully: exit code: 127',
    '------',
    ' > [tools 2/2] RUN cmake:',
    '------',
    'ERROR: failed to solve: process "/bin/sh -c cmake" did not complete successfully: exit code: 127',
  ].join('\n');
  expect(parseBuildFailure(log)).toMatchObject({ output: '/bin/sh: 1: cmake: not found', exitCode: 127 });
});

describe('buildHint', () => {
  it.each<[string, string, string, RegExp]>([
    [
      'a syntax line',
      'resolve image config for docker-image://docker.io/docker/dockerfile:1',
      'failed to resolve source metadata for docker.io/docker/dockerfile:1: failed to do request: dial tcp: lookup registry: connection refused',
      /# syntax=/,
    ],
    [
      'an image that is not here',
      '[internal] load metadata for docker.io/library/golang:1.99',
      'golang:1.99: failed to resolve source metadata for docker.io/library/golang:1.99: dial tcp',
      /"golang:1\.99" is neither/,
    ],
    [
      'a COPY of nothing',
      '[build 2/2] COPY nope .',
      'failed to compute cache key: failed to calculate checksum of ref x: "/nope": not found',
      /There is no nope in the build context/,
    ],
    [
      'a shell that is not there',
      '[stage-1 2/2] RUN id',
      'process "/bin/sh -c id" did not complete successfully: exec: "/bin/sh": stat /bin/sh: no such file or directory',
      /RUN needs a shell/,
    ],
    ['too little memory', '[build 2/2] RUN x', exit(137), /so much memory/],
    ['a program that is not there', '[build 2/2] RUN x', exit(127), /not in the image/],
    ['a mistake in the syntax', '', 'dockerfile parse error on line 3: unknown instruction: FORM', /syntax/],
    ['anything else', '[build 2/2] RUN x', exit(1), /Run the same build/],
  ])('names %s', (_, step, error, hint) => {
    expect(buildHint(parseBuildFailure(failedStep(step, 'x', error)))).toMatch(hint);
  });

  it('names the network that is not there', () => {
    const log = failedStep(
      '[build 3/4] RUN go mod download',
      'dial tcp: lookup modules.example: no such host',
      exit(1),
    );
    expect(buildHint(parseBuildFailure(log))).toMatch(/no network/);
  });
});

it("tells the engine's faults from the learner's", () => {
  expect(isEngineFault(parseBuildFailure('ERROR: Cannot connect to the Docker daemon at unix:///x\n'))).toBe(true);
  expect(isEngineFault(parseBuildFailure('ERROR: failed to solve: write /x: no space left on device\n'))).toBe(true);
  const typo = 'golang:1.99: failed to resolve source metadata for x: dial tcp: lookup registry: connection refused';
  expect(isEngineFault(parseBuildFailure(failedStep('[internal] load metadata for x', '', typo)))).toBe(false);
  expect(isEngineFault(parseBuildFailure(failedStep('[b 1/1] RUN x', 'no space left on device', exit(1))))).toBe(false);
});

describe('what a build ran out of', () => {
  it.each([
    ['x', exit(137), 'out-of-memory', /^The build ran out of memory at \[b 1\/1\] RUN x/],
    ['compile: signal: killed', exit(1), 'out-of-memory', /ran out of memory/],
    ['sh: 1: Cannot allocate memory', exit(2), 'out-of-memory', /ran out of memory/],
    ['cp: write error: No space left on device', exit(1), 'out-of-disk', /^The build ran out of disk space at/],
    [
      'bash: fork: Resource temporarily unavailable',
      exit(254),
      'out-of-processes',
      /^The build started more processes/,
    ],
    ['x', exit(1), 'build', /^The build failed at/],
  ])('%s, %s: %s', (output, error, cause, words) => {
    const failure = parseBuildFailure(failedStep('[b 1/1] RUN x', output, error));
    expect(failureCause(failure)).toBe(cause);
    expect(describeFailure(failure)).toMatch(words);
  });

  it.each([
    'runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT: abort\nPC=0x7f m=4 sigcode=0\n',
    'runtime: failed to create new OS thread (have 9 already; errno=11)\nfatal error: newosproc\n',
    '/usr/bin/timeout: fork system call failed: Resource temporarily unavailable\n',
  ])('is told by the client that could start nothing more: %s', (crash) => {
    const dump = crash.startsWith('runtime') ? '\ngoroutine 0 [idle]:\nrip    0x7f12\nfs     0x0\ngs     0x0\n' : '';
    const failure = parseBuildFailure(`#4 [1/2] FROM golang:1.24\n#5 [2/2] RUN x\n${crash}${dump}`);
    expect(failureCause(failure)).toBe('out-of-processes');
    expect(describeFailure(failure)).toBe(
      `The build started more processes than it may:\n${crash.split('\n')[0] ?? ''}`,
    );
  });

  it('says at which step it was when its time was up', () => {
    const log = '#5 [build 2/3] COPY . .\n#5 DONE 0.1s\n#6 [build 3/3] RUN sleep 1h\n#6 0.1 #9 [x 1/1] RUN lie\n';
    expect(describeTimeout(log, 300_000)).toBe(
      'The build was still running after 5 minutes, at [build 3/3] RUN sleep 1h, and was stopped.',
    );
    expect(describeTimeout('', 30_000)).toBe('The build was still running after 30 seconds, and was stopped.');
  });
});

it('looks at both ends of a line without an end, so that no hint takes long to find', () => {
  const line = '/bin/sh "/a '.repeat(150_000);
  const log = failedStep(
    '[b 1/1] RUN x',
    line,
    `process "/bin/sh -c ${line}" did not complete successfully: exit code: 3`,
  );
  const started = performance.now();
  const failure = parseBuildFailure(log);
  expect(failure.exitCode).toBe(3);
  expect(failure.error).toMatch(/exit code: 3$/);
  expect(failure.output.length).toBeLessThan(5000);
  buildHint(failure);
  // A pattern that begins at each of so many places and looks to the end from there would take hours.
  expect(performance.now() - started).toBeLessThan(10_000);
});
