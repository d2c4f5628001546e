import { FrameParser } from './demux.ts';

/** A longer line is cut: nobody reads it, and a program that prints no newline must not fill the memory. */
const maxLineChars = 64 * 1024;

/**
 * Lines of a container's log (both channels, in the order written) until the stream ends or is destroyed.
 * @param source the multiplexed stream of the logs endpoint.
 */
export async function* logLines(source: AsyncIterable<unknown>): AsyncGenerator<string> {
  const parser = new FrameParser();
  const decoders = new Map<number, { decoder: TextDecoder; rest: string }>();
  for await (const chunk of source) {
    const lines: string[] = [];
    parser.push(chunk as Buffer, (channel, data) => {
      const state = decoders.get(channel) ?? { decoder: new TextDecoder(), rest: '' };
      decoders.set(channel, state);
      const parts = (state.rest + state.decoder.decode(data, { stream: true })).split('\n');
      state.rest = (parts.pop() ?? '').slice(0, maxLineChars);
      lines.push(...parts);
    });
    yield* lines;
  }
  for (const { rest } of decoders.values()) if (rest !== '') yield rest;
}

/** The text of a log that was fetched at once. */
export function logText(multiplexed: Buffer): string {
  const parts: Buffer[] = [];
  new FrameParser().push(multiplexed, (_channel, data) => parts.push(data));
  return Buffer.concat(parts).toString('utf8');
}
