import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { followProgress } from './progress.ts';

async function follow(lines: readonly object[]): Promise<{ text: string; fraction?: number }[]> {
  const seen: { text: string; fraction?: number }[] = [];
  const text = lines.map((line) => `${JSON.stringify(line)}\r\n`).join('');
  await followProgress(Readable.from([text]), 'do it', (line) => seen.push(line));
  return seen;
}

describe('followProgress', () => {
  it('adds up the layers of a pull', async () => {
    const seen = await follow([
      { status: 'Pulling from library/debian', id: 'trixie-slim' },
      { status: 'Downloading', id: 'a', progressDetail: { current: 50, total: 100 } },
      { status: 'Downloading', id: 'b', progressDetail: { current: 100, total: 300 } },
      { status: 'Download complete', id: 'a', progressDetail: {} },
    ]);
    expect(seen.map(({ fraction }) => fraction)).toEqual([undefined, 0.5, 0.375, undefined]);
    expect(seen[0]?.text).toBe('Pulling from library/debian trixie-slim');
  });

  it('counts the steps of a build', async () => {
    expect(await follow([{ stream: 'Step 3/4 : RUN true\n' }, { stream: '\n' }, { stream: ' ---> abc\n' }])).toEqual([
      { text: 'Step 3/4 : RUN true', fraction: 0.5 },
      { text: ' ---> abc' },
    ]);
  });

  it('throws the error that comes with status 200', async () => {
    await expect(follow([{ error: 'no space left on device' }])).rejects.toMatchObject({ code: 'disk_full' });
    await expect(follow([{ error: 'exit code 1' }])).rejects.toMatchObject({ code: 'engine_failed' });
  });
});
