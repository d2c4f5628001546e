import { expect, it } from 'vitest';
import { buildHint } from './build-hints.ts';
import { parseBuildFailure } from './build-log.ts';

/** The end of a log as BuildKit prints it when a RUN step fails. */
const failedRun = (command: string, exitCode: number, ...output: readonly string[]): string =>
  [
    '------',
    ` > [build 4/4] RUN ${command}:`,
    ...output.map((line) => `1.234 ${line}`),
    '------',
    'Dockerfile:5',
    `ERROR: failed to solve: process "/bin/sh -c ${command}" did not complete successfully: exit code: ${String(exitCode)}`,
    '',
  ].join('\n');
const failed = (error: string): string =>
  `------\n > [2/2] COPY x /:\n------\nDockerfile:2\nERROR: failed to solve: ${error}\n`;

it.each([
  [failedRun('go build', 1, '# greeter', './main.go:12:9: undefined: greet'), 'main.go, line 12'],
  [
    failedRun('go test ./...', 1, '--- FAIL: TestGreet (0.00s)', '    main_test.go:9: no', 'FAIL'),
    'test TestGreet fails',
  ],
  [
    failedRun('go build', 1, 'go: go.mod file not found in current directory or any parent directory'),
    'COPY it there first',
  ],
  [failedRun('go mod download', 1, 'go: dial tcp: lookup proxy.example.org: no such host'), 'no network'],
  [failedRun('npm ci', 1, 'npm error code EAI_AGAIN'), 'no network'],
  [failedRun('apt-get update', 100, "Err:1 Temporary failure resolving 'deb.example.org'"), 'no network'],
  [failedRun('./run', 126, '/bin/sh: ./run: Permission denied'), 'may not be run'],
  [failedRun('touch /x', 1, "touch: cannot touch '/x': Permission denied"), 'before USER'],
  [failedRun('gcc', 127, '/bin/sh: gcc: not found'), 'not in the image of this stage'],
  [failedRun('make', 3, 'something of its own'), 'read what the failing step prints'],
  [failed('failed to compute cache key: failed to calculate checksum of ref x::y: "/x": not found'), '.dockerignore'],
  [
    failed('greeter: failed to resolve source metadata for docker.io/library/greeter:latest: no'),
    '"greeter:latest" is neither',
  ],
])('says what to do about %#', (log, words) => {
  expect(buildHint(parseBuildFailure(log))).toContain(words);
});

it('says of what was used up where to look, by the cause that the kernel told', () => {
  const failure = parseBuildFailure(failedRun('make', 1, 'c++: fatal error: Killed signal terminated program'));
  expect(buildHint({ ...failure, cause: 'out-of-memory' })).toContain('free -m');
  expect(buildHint({ ...failure, cause: 'out-of-processes' })).toContain('starts programs without end');
  expect(buildHint({ ...failure, cause: 'out-of-disk' })).toContain('docker system df');
});
