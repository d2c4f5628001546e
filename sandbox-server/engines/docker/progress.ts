import { createInterface } from 'node:readline';
import { z } from 'zod';
import { BallastError } from '../../protocol/index.ts';
import type { Progress } from '../engine.ts';
import { toBallastError } from './errors.ts';

/** One line of the engine's progress stream (pull, import, build). */
const progressLine = z.object({
  stream: z.string().optional(),
  status: z.string().optional(),
  id: z.string().optional(),
  error: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
});

/** Adds up the bytes of the layers of a pull into one fraction. */
class LayerBytes {
  readonly #layers = new Map<string, { current: number; total: number }>();

  add(id: string, current: number, total: number): number {
    this.#layers.set(id, { current, total });
    let sum = 0;
    let all = 0;
    for (const layer of this.#layers.values()) {
      sum += layer.current;
      all += layer.total;
    }
    return all === 0 ? 0 : Math.min(1, sum / all);
  }
}

const stepOf = (text: string): number | undefined => {
  const match = /^Step (\d+)\/(\d+) /.exec(text);
  return match === null ? undefined : (Number(match[1]) - 1) / Number(match[2]);
};

/**
 * Read the engine's progress stream to its end.
 * @param doing for the message of a failure: "build the image".
 * @throws BallastError when the stream carries an error (the HTTP status was 200 by then) or breaks off.
 */
export async function followProgress(
  source: NodeJS.ReadableStream,
  doing: string,
  onProgress: Progress,
): Promise<void> {
  const layers = new LayerBytes();
  try {
    for await (const line of createInterface({ input: source, crlfDelay: Infinity })) {
      if (line.trim() === '') continue;
      const parsed = progressLine.safeParse(JSON.parse(line));
      if (!parsed.success) continue;
      const { stream, status, id, error, progressDetail } = parsed.data;
      if (error !== undefined) throw toBallastError({ message: error }, doing);
      const text = (stream ?? (id === undefined ? status : `${status ?? ''} ${id}`) ?? '').trimEnd();
      if (text === '') continue;
      const { current, total } = progressDetail ?? {};
      const fraction =
        id !== undefined && status === 'Downloading' && current !== undefined && total !== undefined
          ? layers.add(id, current, total)
          : stepOf(text);
      onProgress(fraction === undefined ? { text } : { text, fraction });
    }
  } catch (cause) {
    if (cause instanceof BallastError) throw cause;
    throw toBallastError(cause, doing);
  }
}
