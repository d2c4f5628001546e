import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { logLines, logText } from './log-lines.ts';

function frame(channel: number, data: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(channel, 0);
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}

const linesOf = async (chunks: readonly Buffer[]): Promise<string[]> => {
  const lines: string[] = [];
  for await (const line of logLines(Readable.from(chunks))) lines.push(line);
  return lines;
};

describe('logLines', () => {
  it('joins what is split over frames, and keeps the channels apart', async () => {
    const chunks = [
      frame(1, Buffer.from('one\ntw')),
      frame(2, Buffer.from('oops\n')),
      frame(1, Buffer.from('o\nlast')),
    ];
    expect(await linesOf(chunks)).toEqual(['one', 'oops', 'two', 'last']);
  });

  it('joins characters that are split over frames', async () => {
    const bytes = Buffer.from('größer\n');
    expect(await linesOf([frame(1, bytes.subarray(0, 3)), frame(1, bytes.subarray(3))])).toEqual(['größer']);
  });

  it('cuts a line that has no end', async () => {
    const [line] = await linesOf(Array.from({ length: 8 }, () => frame(1, Buffer.alloc(64 * 1024, 'x'))));
    expect(line).toHaveLength(64 * 1024);
  });
});

describe('logText', () => {
  it('is the text of all frames', () => {
    expect(logText(Buffer.concat([frame(1, Buffer.from('a\n')), frame(2, Buffer.from('b\n'))]))).toBe('a\nb\n');
  });
});
