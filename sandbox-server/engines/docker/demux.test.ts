import { PassThrough, type Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { demultiplex } from './demux.ts';

function frame(channel: number, data: string | Buffer): Buffer {
  const payload = Buffer.from(data);
  const header = Buffer.alloc(8);
  header.writeUInt8(channel, 0);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

const textOf = async (stream: Readable): Promise<string> =>
  Buffer.concat((await stream.toArray()) as Buffer[]).toString();

describe('demultiplex', () => {
  it.each([1, 3, 7, 8, 9, 1000])('splits frames that come in chunks of %i bytes', async (size) => {
    const source = new PassThrough();
    const { stdout, stderr } = demultiplex(source);
    const bytes = Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(1, ''), frame(1, 'more'), frame(2, '!')]);
    for (let at = 0; at < bytes.length; at += size) source.write(bytes.subarray(at, at + size));
    source.end();
    expect(await Promise.all([textOf(stdout), textOf(stderr)])).toEqual(['outmore', 'err!']);
  });

  it('pauses the source while an output is full, and goes on when it is read', async () => {
    const source = new PassThrough({ highWaterMark: 1024 });
    const { stdout, stderr } = demultiplex(source);
    stderr.resume();
    const chunk = frame(1, Buffer.alloc(100_000));
    const total = 50;
    let accepted = 0;
    const write = (): void => {
      while (accepted < total) {
        accepted += 1;
        if (!source.write(chunk)) {
          source.once('drain', write);
          return;
        }
      }
      source.end();
    };
    write();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(source.isPaused()).toBe(true);
    expect(accepted).toBeLessThan(10);
    let size = 0;
    for await (const part of stdout as AsyncIterable<Buffer>) size += part.length;
    expect(size).toBe(total * 100_000);
  });

  it('ends both outputs with an error when the connection breaks off', async () => {
    const source = new PassThrough();
    const { stdout, stderr } = demultiplex(source);
    source.write(frame(1, 'begun'));
    source.destroy();
    await expect(textOf(stdout)).rejects.toMatchObject({ code: 'engine_failed' });
    await expect(textOf(stderr)).rejects.toMatchObject({ code: 'engine_failed' });
  });

  it('refuses an end inside a frame, and bytes that are no frames', async () => {
    const cut = new PassThrough();
    const first = demultiplex(cut);
    cut.end(frame(1, 'whole').subarray(0, 10));
    await expect(textOf(first.stdout)).rejects.toMatchObject({ code: 'engine_failed' });
    const plain = new PassThrough();
    const second = demultiplex(plain);
    plain.end('this is not multiplexed at all');
    await expect(textOf(second.stdout)).rejects.toMatchObject({ code: 'engine_failed' });
  });
});
