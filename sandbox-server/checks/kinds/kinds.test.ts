import { describe, expect, it } from 'vitest';
import { contextOf, file, makeContents } from '../../../tests/helpers/contents.ts';
import { parseStages } from '../dockerfile.ts';
import { parseListening } from '../probe-container.ts';
import { startHint } from '../start-hints.ts';
import { isStale } from './image-built.ts';
import { imageLacks, search } from './image-lacks.ts';
import { imageSize } from './image-size.ts';
import { nonRoot } from './non-root.ts';
import { listeningHint } from '../readiness.ts';
import { compare } from './serves-http.ts';
import { judgeBroken, judgeStages } from './test-stage.ts';

describe('image-built', () => {
  it.each([
    ['built after the change', 10_000, 5000, false],
    ['built before the change', 5000, 10_000, true],
    ['built within a second of the change', 5000, 5900, false],
    ['a time the engine does not tell', Number.NaN, 10_000, false],
    ['a Dockerfile that is not there', 5000, Number.NaN, false],
    ['an image that never got a name', Date.parse('0001-01-01T00:00:00Z'), 10_000, false],
  ])('%s', (_, tagged, changed, stale) => {
    expect(isStale(tagged, changed)).toBe(stale);
  });
});

describe('image-size', () => {
  it('passes at the budget and fails above it, naming what weighs', async () => {
    const contents = makeContents([
      { entries: [file('usr/local/go/bin/go', 19e6)] },
      { entries: [file('greeter', 1e6)], createdBy: 'COPY x y' },
    ]);
    expect(await imageSize.run({ image: 'greeter', max: 20e6 }, contextOf(contents))).toMatchObject({ status: 'pass' });
    expect(await imageSize.run({ image: 'greeter', max: 19e6 }, contextOf(contents))).toMatchObject({
      status: 'fail',
      actual: 'It is 20.0 MB in 2 layers: 1.0 MB too much.',
      hint: expect.stringContaining(
        '19.0 MB, comes with the base image, most of it in /usr/local/go/bin (19.0 MB)',
      ) as string,
    });
  });
});

describe('non-root', () => {
  it.each([
    ['', 'fail', /0 \(root\): the image sets no USER/],
    ['0:0', 'fail', /USER is "0:0"/],
    ['65532', 'pass', /65532/],
    ['app', 'fail', /no such user/],
  ])('USER %j: %s', async (user, status, actual) => {
    const verdict = await nonRoot.run({ image: 'greeter' }, contextOf(makeContents([], { user })));
    expect(verdict).toMatchObject({ status, actual: expect.stringMatching(actual) as string });
  });

  const judge = (user: string, passwd: string, dockerfile = 'FROM scratch\n') => {
    const contents = { ...makeContents([], { user }), text: new Map([['etc/passwd', passwd]]) };
    return nonRoot.run({ image: 'greeter' }, contextOf(contents, { dockerfile }));
  };

  it.each([
    ['app', 'app\napp:x:1000:1000::/:/x\n', undefined, 'the first line of that name counts'],
    ['', 'root:x:0:0\nnonroot:x:65532:65532\nnobody:x:65534:65534\n', undefined, 'for that: nonroot (65532).'],
    ['', '', undefined, 'A base image tagged "nonroot"'],
    ['0', '', undefined, 'Set USER in the last stage to a number other than 0'],
    [
      '',
      '',
      'FROM a AS build\nUSER 65532\nFROM scratch\n',
      '"USER 65532" stands in the stage "build" and does not carry over',
    ],
  ])('says what would help: USER %j with %j', async (user, passwd, dockerfile, hint) => {
    expect(await judge(user, passwd, dockerfile)).toMatchObject({
      status: 'fail',
      hint: expect.stringContaining(hint) as string,
    });
  });

  it('tells a name that nobody has from a number that nobody can have', async () => {
    expect((await judge('ap', 'app:x:1000:1000\n')).actual).toContain('no such user; it has app (1000)');
    expect((await judge('-5', '')).actual).toContain('no number that a user can have');
  });
});

describe('image-lacks', () => {
  const wanted = {
    tools: ['go-toolchain', 'shell'] as ('go-toolchain' | 'shell')[],
    paths: ['**/*.go'],
    except: ['usr/local/go/**'],
    packages: [],
  };

  it('passes an image with the binary alone', async () => {
    const verdict = await imageLacks.run(
      { image: 'greeter', ...wanted },
      contextOf(makeContents([{ entries: [file('greeter')] }])),
    );
    expect(verdict.status).toBe('pass');
  });

  it('finds what a container sees, with size and the instruction that brought it', async () => {
    const contents = makeContents([
      { entries: [file('usr/local/go/pkg/tool/linux_amd64/compile', 266e6), file('usr/local/go/src/a.go')] },
      { entries: [file('src/main.go', 2000)], createdBy: 'COPY . . # buildkit' },
    ]);
    expect(await imageLacks.run({ image: 'greeter', ...wanted }, contextOf(contents))).toMatchObject({
      status: 'fail',
      actual:
        'The Go toolchain: /usr/local/go (266 MB), in layer 1 of 2 (the base image).\n' +
        'Files: /src/main.go (2.0 kB), in layer 2 of 2 (COPY . .).',
      hint: expect.stringContaining('/usr/local/go (266 MB)') as string,
    });
  });

  it('finds what a later layer deletes, and says that it is shipped all the same', async () => {
    const contents = makeContents([{ entries: [file('src/main.go')] }, { entries: [], whiteouts: ['src'] }]);
    expect(search(contents, wanted)).toMatchObject([{ what: 'path', layer: 0, visible: false }]);
    const verdict = await imageLacks.run({ image: 'greeter', ...wanted }, contextOf(contents));
    expect(verdict).toMatchObject({
      actual: expect.stringContaining('deleted later, yet still in the image') as string,
      hint: expect.stringContaining('only hides it') as string,
    });
  });
});

describe('serves-http', () => {
  it.each([
    [{ path: '/', status: 200 }, { status: 500, body: '' }, 'answered 500 instead of 200'],
    [{ path: '/', status: 200, body: 'ok' }, { status: 200, body: 'ok\n' }, undefined],
    [{ path: '/', status: 200, body: 'ok' }, { status: 200, body: 'OK' }, 'answered "OK" instead of "ok"'],
    [{ path: '/', status: 200, contains: 'Hello' }, { status: 200, body: 'Bye' }, 'answered "Bye", without "Hello"'],
  ])('%o on %o', (wanted, answer, wrong) => {
    expect(compare(wanted, { headers: new Map(), ...answer })).toBe(wrong);
  });

  it("reads the kernel's table of sockets", () => {
    const tables = `  sl  local_address rem_address   st tx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000
   1: 0B00007F:A123 00000000:0000 0A 00000000:00000000 00:00000000
   2: 00000000:0050 00000000:0000 01 00000000:00000000 00:00000000
  sl  local_address                         remote_address
   0: 00000000000000000000000000000000:2382 00000000000000000000000000000000:0000 0A 00000000:00000000
`;
    expect(parseListening(tables)).toEqual([
      { port: 8080, loopbackOnly: true },
      { port: 9090, loopbackOnly: false },
    ]);
  });

  it.each([
    [[], /Nothing in the container listens/],
    [[{ port: 9090, loopbackOnly: false }], /listens on 9090, not on 8080/],
    [[{ port: 8080, loopbackOnly: true }], /only on 127\.0\.0\.1/],
    [[{ port: 8080, loopbackOnly: false }], /does not speak HTTP/],
  ])('explains silence by what listens: %o', (listening, hint) => {
    expect(listeningHint(8080, listening)).toMatch(hint);
  });

  it.each([
    ['exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown', /exec form/],
    ['exec: "/gretter": stat /gretter: no such file or directory', /not in the image/],
    ['exec /greeter: no such file or directory', /CGO_ENABLED=0/],
    ['unable to find user ghost: no matching entries in passwd file', /passwd/],
    ['exec /greeter: exec format error', /another kind of processor/],
  ])('explains %j', (text, hint) => {
    expect(startHint(text)).toMatch(hint);
  });
});

describe('test-stage', () => {
  const stages = parseStages(`
FROM golang:1.24 AS build
RUN go build -o /greeter .
FROM build AS Test
RUN <<EOF
go test ./...
EOF
FROM scratch
COPY --from=build /greeter /greeter
`);
  const failure = {
    step: '',
    stage: 'test',
    instruction: 'RUN go test',
    line: 3,
    exitCode: 1,
    error: '',
    output: 'boom',
  };

  it('reads stages as BuildKit names them, here-documents included', () => {
    expect(stages.map(({ name, from }) => [name, from])).toEqual([
      ['build', 'golang:1.24'],
      ['test', 'build'],
      ['2', 'scratch'],
    ]);
    expect(stages[1]?.runs[0]).toContain('go test');
  });

  it('wants the stage to be there, and not to be the last', () => {
    expect(judgeStages(stages, 'test')).toBeUndefined();
    expect(judgeStages(stages, 'check')?.actual).toBe(
      'There is no stage called "check": the Dockerfile has 3 stages, those with a name are "build", "test".',
    );
    expect(judgeStages(stages.slice(0, 2), 'test')?.actual).toMatch(/last one/);
    expect(judgeStages([], 'test')?.actual).toMatch(/0 stages, none has a name/);
  });

  it('is content with a stage that fails because of the broken test', () => {
    expect(judgeBroken({ status: 'failed', log: 'a word-1 b', failure }, 'word-1', 'test', stages[1])).toBeUndefined();
  });

  it.each([
    [
      'a failure that is not the test',
      { status: 'failed' as const, log: 'boom', failure },
      ['go test'],
      /not because of the test/,
      /RUN the tests themselves/,
    ],
    [
      'tests in another stage',
      { status: 'failed' as const, log: 'word-1', failure: { ...failure, stage: 'build' } },
      [],
      /run in the stage "build"/,
      /Move the RUN/,
    ],
    [
      'a failure that is swallowed',
      { status: 'built' as const, log: 'word-1' },
      ['go test ./... || true'],
      /passed all the same/,
      /"RUN go test .\/... \|\| true"/,
    ],
    ['tests that never run', { status: 'built' as const, log: '' }, ['go test ./...'], /never ran/, /\.dockerignore/],
    [
      'a stage that runs something else',
      { status: 'built' as const, log: '' },
      ['go vet'],
      /never ran/,
      /No RUN of the stage/,
    ],
    ['an empty stage', { status: 'built' as const, log: '' }, [], /never ran/, /has no RUN/],
  ])('tells %s', (_, outcome, runs, actual, hint) => {
    const wrong = judgeBroken(outcome, 'word-1', 'test', { name: 'test', from: 'build', runs, copies: [] });
    expect(wrong?.actual).toMatch(actual);
    expect(wrong?.hint).toMatch(hint);
  });
});
