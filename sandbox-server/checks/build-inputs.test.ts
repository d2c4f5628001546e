import { describe, expect, it } from 'vitest';
import { whileUnchanged } from './build-inputs.ts';
import type { CheckContext, Verdict } from './check-kind.ts';
import { soleStageWith, stageText } from './dockerfile.ts';

const dockerfile = `# syntax-free
ARG VERSION=1
FROM golang:1.24 AS base
RUN echo base
FROM base AS build
COPY . .
FROM debian:trixie-slim AS other
RUN echo other
FROM build AS test
COPY --from=tools:2 /bin/lint /lint
RUN --mount=type=bind,from=other,target=/o go test
FROM scratch
COPY --from=build /out /out
`;

describe('the part of a Dockerfile that a stage is built by', () => {
  it('is the stage with those that it takes from, and no other', () => {
    const test = stageText(dockerfile, 'test');
    expect(test?.images).toEqual(['tools:2', 'debian:trixie-slim', 'golang:1.24']);
    expect(test?.names).toEqual(['base', 'build', 'other', 'test', '4']);
    expect(test?.text).not.toContain('FROM scratch');
    const build = stageText(dockerfile, 'build');
    expect(build?.text).toContain('ARG VERSION=1');
    expect(build?.text).toContain('RUN echo base');
    expect(build?.text).not.toContain('RUN echo other');
    expect(build?.images).toEqual(['golang:1.24']);
    expect(stageText(dockerfile)?.text).toContain('COPY --from=build');
  });

  it('is unknown where there is no such stage, or a variable decides', () => {
    expect(stageText(dockerfile, 'nowhere')).toBeUndefined();
    expect(stageText('ARG B\nFROM ${B}\n')).toBeUndefined();
    expect(stageText('')).toBeUndefined();
  });

  it('takes a number for a stage and an image of the same name as the stage itself for an image', () => {
    const text = 'FROM a\nRUN 1\nFROM b AS b\nCOPY --from=0 /x /x\n';
    expect(stageText(text, 'b')?.text).toContain('RUN 1');
    expect(stageText(text, 'b')?.images).toEqual(['b', 'a']);
  });
});

describe('the one stage that has certain steps', () => {
  it('is found where the image takes from it', () => {
    const text =
      'FROM go AS build\nCOPY . .\nRUN get\nRUN --mount=x \\\n  make\nFROM scratch\nCOPY --from=build /o /o\n';
    expect(soleStageWith(text, ['get', 'make'])).toBe('build');
    expect(soleStageWith(text, ['RUN get'])).toBe('build');
  });

  it('is none where they are in several, in none, elsewhere, or where names do not tell', () => {
    const text =
      'FROM go AS build\nRUN get\nRUN make\nFROM build AS test\nRUN make test\nFROM scratch\nCOPY --from=build /o /o\n';
    expect(soleStageWith(text, ['get'])).toBe('build');
    expect(soleStageWith(text, ['make'])).toBeUndefined();
    expect(soleStageWith(text, ['get', 'make'])).toBeUndefined();
    expect(soleStageWith(text, ['make test'])).toBeUndefined();
    expect(soleStageWith(text, ['get', 'COPY'])).toBeUndefined();
    expect(soleStageWith(text, ['nothing'])).toBeUndefined();
    expect(soleStageWith(text.replace('AS test', 'AS build'), ['get'])).toBeUndefined();
    expect(soleStageWith(text.replace('FROM go', 'FROM $GO'), ['get'])).toBeUndefined();
    expect(soleStageWith(text.replace('AS build', '').replace('--from=build', '--from=0'), ['get'])).toBeUndefined();
    expect(soleStageWith('FROM a\nRUN get\n', ['get'])).toBeUndefined();
    expect(soleStageWith('', ['get'])).toBeUndefined();
  });
});

describe('a verdict that is remembered', () => {
  const inputs = { folder: '.', dockerfile: 'Dockerfile', target: 'test' };
  const sandbox = { text: dockerfile, files: 'hash-1', exitCode: 0 };
  const shell: CheckContext['shell'] = {
    run: (argv) =>
      Promise.resolve({
        exitCode: argv[0] === '/usr/bin/cat' ? 0 : sandbox.exitCode,
        stdout: argv[0] === '/usr/bin/cat' ? sandbox.text : sandbox.files,
        stderr: '',
        timedOut: false,
        truncated: false,
      }),
    stream: () => Promise.reject(new Error('unused')),
  };
  const images = { read: () => Promise.reject(new Error('unused')), search: () => Promise.reject(new Error('unused')) };
  const contextFor = (mode: CheckContext['mode']): CheckContext => ({
    shell,
    images,
    labDir: '/lab',
    mode,
    remembered: new Map(),
    signal: new AbortController().signal,
  });

  async function judgedAnew(context: CheckContext, verdict: Verdict['status'] = 'pass', what = 'x'): Promise<boolean> {
    const runs: string[] = [];
    const answer = await whileUnchanged(context, [what], inputs, () => {
      runs.push(what);
      const told = { expected: '', actual: 'It does.' };
      return Promise.resolve(verdict === 'pass' ? { status: 'pass', ...told } : { status: 'fail', ...told });
    });
    expect(answer.status).toBe(runs.length === 1 ? verdict : 'pass');
    return runs.length === 1;
  }

  it('holds until the stage, the files or the parameters change', async () => {
    const context = contextFor('live');
    Object.assign(sandbox, { text: dockerfile, files: 'hash-1' });
    expect(await judgedAnew(context)).toBe(true);
    expect(await judgedAnew(context)).toBe(false);
    sandbox.text = dockerfile.replace('FROM scratch', 'FROM scratch\nUSER 65532');
    expect(await judgedAnew(context)).toBe(false);
    sandbox.text = dockerfile.replace('go test', 'go test || true');
    expect(await judgedAnew(context, 'fail')).toBe(true);
    sandbox.text = dockerfile;
    sandbox.files = 'hash-2';
    expect(await judgedAnew(context, 'fail')).toBe(true);
    expect(await judgedAnew(context)).toBe(true);
    expect(await judgedAnew(context, 'pass', 'y')).toBe(true);
  });

  it('is none when it failed, in the clean room, when it cannot be told, or when files were saved meanwhile', async () => {
    Object.assign(sandbox, { text: dockerfile, files: 'hash-1', exitCode: 0 });
    const failing = contextFor('live');
    expect([await judgedAnew(failing, 'fail'), await judgedAnew(failing)]).toEqual([true, true]);
    const clean = contextFor('clean-room');
    expect([await judgedAnew(clean), await judgedAnew(clean)]).toEqual([true, true]);
    sandbox.exitCode = 1;
    const unknown = contextFor('live');
    expect([await judgedAnew(unknown), await judgedAnew(unknown)]).toEqual([true, true]);
    sandbox.exitCode = 0;
    const saving = contextFor('live');
    await whileUnchanged(saving, ['x'], inputs, () => {
      sandbox.files = 'hash-2';
      return Promise.resolve({ status: 'pass', expected: '', actual: '' });
    });
    sandbox.files = 'hash-1';
    expect(await judgedAnew(saving)).toBe(true);
  });
});
