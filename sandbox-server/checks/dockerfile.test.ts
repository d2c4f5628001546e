import { describe, expect, it } from 'vitest';
import { contextOf, makeContents } from '../../tests/helpers/contents.ts';
import { CheckFailed } from './check-failed.ts';
import { baseOf, parseStages, readLabFile } from './dockerfile.ts';
import { originOf } from './image-origin.ts';
import { labFile } from './kinds/lab-file.ts';
import { stages } from './kinds/stages.ts';
import { testStage } from './kinds/test-stage.ts';

/** A lab folder whose files are longer than is read: what is read is nothing but comments. */
function tooLong() {
  const context = contextOf(makeContents([]));
  const stdout = `FROM golang:1.24 AS build\n${'# nothing\n'.repeat(20_000)}`;
  const run = () => Promise.resolve({ exitCode: 0, stdout, stderr: '', timedOut: false, truncated: true });
  return { ...context, shell: { ...context.shell, run } };
}

describe('a file that is too long to be read', () => {
  it('is refused, and none of it is judged', async () => {
    await expect(readLabFile(tooLong(), 'Dockerfile')).rejects.toThrow('Dockerfile is longer than 256 KiB.');
    const shape = { min: 1, named: ['build'], copies: [], context: '.', dockerfile: 'Dockerfile' };
    const test = { target: 'build', context: '.', dockerfile: 'Dockerfile', breakFile: 'x', breakWith: '' };
    for (const judged of [
      stages.run(shape, tooLong()),
      testStage.run(test, tooLong()),
      labFile.run({ path: 'NOTES.md', contains: ['nothing'] }, tooLong()),
    ])
      await expect(judged).rejects.toBeInstanceOf(CheckFailed);
  });

  it('is no reason not to say what else was seen', async () => {
    const origin = { dockerfile: 'Dockerfile', stages: [] };
    expect(await originOf(tooLong(), 'greeter', makeContents([]))).toEqual(origin);
  });
});

describe('a lab folder', () => {
  const answering = (exitCode: number, stderr: string) => {
    const context = contextOf(makeContents([]));
    const run = () => Promise.resolve({ exitCode, stdout: '', stderr, timedOut: false, truncated: false });
    return { ...context, shell: { ...context.shell, run } };
  };

  it('has no such file', async () => {
    const reading = answering(1, '/usr/bin/cat: /lab/Dockerfile: No such file or directory\n');
    expect(await readLabFile(reading, 'Dockerfile')).toBeNull();
  });

  it.each([
    [125, '/usr/bin/timeout: fork system call failed: Resource temporarily unavailable\n'],
    [126, 'OCI runtime exec failed'],
  ])('may have it where no program can be started to read it: %i', async (exitCode, stderr) => {
    await expect(readLabFile(answering(exitCode, stderr), 'Dockerfile')).rejects.toMatchObject({
      code: 'sandbox_failed',
      message: expect.stringContaining('starts no program any more') as string,
    });
  });
});

describe('parseStages', () => {
  const from = (text: string) => parseStages(text).map((stage) => stage.from);

  it.each([
    ['ARG BASE=scratch\nFROM ${BASE}\n', 'scratch'],
    ['ARG BASE=scratch\nFROM --platform=$BUILDPLATFORM $BASE\n', 'scratch'],
    ['ARG V="1.24" W=x\nARG BASE=golang:${V}\nFROM ${BASE}\n', 'golang:1.24'],
    ['ARG A=1\nARG A=2\nFROM a:$A-slim\n', 'a:2-slim'],
    ['FROM ${BASE:-scratch}\n', 'scratch'],
    ['ARG BASE=\nFROM ${BASE:-scratch}\n', 'scratch'],
    ['ARG BASE=x\nFROM ${BASE:-scratch}\n', 'x'],
    ['ARG DEBUG=1\nFROM debian${DEBUG:+:debug}\n', 'debian:debug'],
    ['FROM debian${DEBUG:+:debug}\n', 'debian'],
    ['ARG BASE\nFROM ${BASE}\n', '${BASE}'],
    ['FROM a:$TARGETARCH\n', 'a:$TARGETARCH'],
  ])('knows the base of %j', (text, base) => {
    expect(from(text)).toEqual([base]);
  });

  it('takes the ARG of a stage for no base', () => {
    expect(from('ARG B=a\nFROM $B AS x\nARG B=b\nFROM $B\n')).toEqual(['a', 'a']);
  });

  it('follows stages down to their image', () => {
    expect(baseOf(parseStages('ARG B=alpine\nFROM $B AS one\nFROM one AS two\nFROM two\n'))).toBe('alpine');
    expect(baseOf([])).toBeUndefined();
  });

  it('tells the last USER of a stage', () => {
    const users = parseStages('FROM a\nUSER x\nUSER 65532:65532\nFROM b\n').map(({ user }) => user);
    expect(users).toEqual(['65532:65532', undefined]);
  });
});
