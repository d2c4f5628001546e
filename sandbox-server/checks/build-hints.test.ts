import { describe, expect, it } from 'vitest';
import { readEvidence, settingsAt } from './build-evidence.ts';
import { ignoringLine } from './dockerignore.ts';
import { buildHint } from './build-hints.ts';
import { parseBuildFailure } from './build-log.ts';
import type { SandboxShell } from './sandbox-shell.ts';

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
  [failedRun('gcc', 127, '/bin/sh: gcc: not found'), 'not in the image of the stage "build"'],
  [failedRun('make', 3, 'something of its own'), 'read what the failing step prints'],
  [failed('failed to compute cache key: failed to calculate checksum of ref x::y: "/x": not found'), '.dockerignore'],
  [
    failed('greeter: failed to resolve source metadata for docker.io/library/greeter:latest: no'),
    '"greeter:latest" is neither',
  ],
])('says what to do about %#', (log, words) => {
  expect(buildHint(parseBuildFailure(log))).toContain(words);
});

it.each([
  ['open Dockerfile.distroless: no such file or directory', 'a file called Dockerfile.distroless, with a capital D'],
  ['open build.txt: no such file or directory', 'a file called build.txt, at the top'],
])('names the Dockerfile that is not there: %s', (error, words) => {
  expect(buildHint(parseBuildFailure(`ERROR: failed to solve: failed to read dockerfile: ${error}\n`))).toContain(
    words,
  );
});

const copyFailed = (instruction: string): string =>
  failed('failed to compute cache key: failed to calculate checksum of ref x::y: "/conf/x": not found').replace(
    'COPY x /',
    instruction,
  );

it('says what a COPY did not find, where it looked, and which line of .dockerignore leaves it out', () => {
  const failure = parseBuildFailure(copyFailed('COPY conf/x /'));
  expect(buildHint(failure)).toContain('There is no conf/x in the build context');
  expect(buildHint({ ...failure, evidence: { ignoredBy: 'conf' } })).toContain(
    'The line "conf" of .dockerignore leaves conf/x out',
  );
  expect(buildHint(parseBuildFailure(copyFailed('COPY --from=build /conf/x /')))).toContain(
    'There is no /conf/x in "build"',
  );
});

it.each([
  [
    'failed to compute cache key: failed to calculate checksum of ref x::y: failed to walk /t/buildkit-mount39/conf: lstat /t/buildkit-mount39/conf: no such file or directory',
    'COPY conf/x /',
    'There is no conf in the build context',
  ],
  [
    'lstat /t/buildkit-mount39/out/app: no such file or directory',
    'COPY --from=build /out/app /',
    'There is no /out/app in "build"',
  ],
])('knows what a COPY did not find where BuildKit names a place of its own: %s', (error, instruction, words) => {
  expect(buildHint(parseBuildFailure(failed(error).replace('COPY x /', instruction)))).toContain(words);
});

it.each([
  ['/bin/sh: 1: gcc: not found', '"gcc" is not in the image of the stage "build"'],
  ['/bin/sh: gcc: not found', '"gcc"'],
  ['bash: line 1: cmake: command not found', '"cmake"'],
  ['runc run failed: exec: "npm": executable file not found in $PATH', '"npm"'],
  ["env: 'python': No such file or directory", '"python"'],
  ['something else', 'The program is not in'],
])('names the program that is not there: %s', (output, words) => {
  expect(buildHint(parseBuildFailure(failedRun('x', 127, output)))).toContain(words);
});

it.each([
  ["touch: cannot touch '/opt/x': Permission denied", 'may not do that with /opt/x'],
  ['mkdir: can\'t create directory "/data": Permission denied', 'may not do that with /data'],
  ['open /var/lib/x.db: permission denied', 'may not do that with /var/lib/x.db'],
  ["Error: EACCES: permission denied, mkdir '/app/node_modules'", 'may not do that with /app/node_modules'],
  ['Permission denied', 'who may not do that.'],
])('names the path and the user: %s', (output, words) => {
  const failure = parseBuildFailure(failedRun('x', 1, output));
  const hint = buildHint({ ...failure, evidence: { user: 'app:app' } });
  expect(hint).toContain(words);
  expect(hint).toContain('the user "app:app"');
});

it('says where Go looked for go.mod, and which instruction failed for another reason', () => {
  const output = 'go: go.mod file not found in current directory or any parent directory';
  const failure = parseBuildFailure(failedRun('go build', 1, output));
  expect(buildHint({ ...failure, evidence: { workdir: '/src' } })).toContain('in /src, where WORKDIR has the step run');
  expect(buildHint(failure)).toContain('the step has none');
  expect(buildHint(parseBuildFailure(failedRun('make', 3, 'x')))).toContain('"RUN make" ended with 3.');
});

describe('what the files of a build say', () => {
  it.each([
    ['.git\n*.env\n', 'a.env', '*.env'],
    ['conf\n', 'conf/x/y', 'conf'],
    ['/conf/\n', 'conf/x', '/conf/'],
    ['**/*.go\n', 'a/b/main.go', '**/*.go'],
    ['*\n!conf\n', 'conf/x', undefined],
    ['*\n!conf\nconf/x\n', 'conf/x', 'conf/x'],
    ['# conf\n\nconfig\n', 'conf', undefined],
  ])('%j leaves out %s by the line %s', (text, path, line) => {
    expect(ignoringLine(text, path)).toBe(line);
  });

  it('USER and WORKDIR hold from where they stand, and in the stages that are built on theirs', () => {
    const text =
      'FROM a AS build\nWORKDIR /src\nWORKDIR sub\nRUN 1\nUSER app\nRUN 2\nFROM build\nRUN 3\nFROM b\nRUN 4\n';
    expect(settingsAt(text, 4)).toEqual({ workdir: '/src/sub' });
    expect(settingsAt(text, 6)).toEqual({ workdir: '/src/sub', user: 'app' });
    expect(settingsAt(text, 8)).toEqual({ workdir: '/src/sub', user: 'app' });
    expect(settingsAt(text, 10)).toEqual({});
  });

  it('are read only as far as the failure asks for them', async () => {
    const read: string[] = [];
    const shell: SandboxShell = {
      run: (argv) => {
        const path = argv.at(-1) ?? '';
        read.push(path);
        const stdout = path.endsWith('/.dockerignore') ? 'conf\n' : '';
        return Promise.resolve({ exitCode: 0, stdout, stderr: '', timedOut: false, truncated: false });
      },
      stream: () => Promise.reject(new Error('unused')),
    };
    const request = { context: '/lab', dockerfile: 'Dockerfile', signal: new AbortController().signal };
    const failure = parseBuildFailure(copyFailed('COPY conf/x /'));
    expect(await readEvidence(shell, request, failure)).toEqual({ ignoredBy: 'conf' });
    expect(read).toEqual(['/lab/Dockerfile.dockerignore', '/lab/.dockerignore', '/lab/Dockerfile']);
  });
});

it('says of what was used up where to look, by the cause that the kernel told', () => {
  const failure = parseBuildFailure(failedRun('make', 1, 'c++: fatal error: Killed signal terminated program'));
  expect(buildHint({ ...failure, cause: 'out-of-memory' })).toContain('free -m');
  expect(buildHint({ ...failure, cause: 'out-of-processes' })).toContain('starts programs without end');
  expect(buildHint({ ...failure, cause: 'out-of-disk' })).toContain('docker system df');
});
