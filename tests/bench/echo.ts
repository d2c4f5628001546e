import { setTimeout as delay } from 'node:timers/promises';
import { untilShown, type Line, type LineKind } from './lines.ts';
import { summarise, type Summary } from './statistics.ts';

/** A key is lost rather than late after this. */
const lostMs = 10_000;
/** Keys until the line of the shell is emptied, so that it never wraps. */
const keysInALine = 25;
const keys = 'etaoinshrdlucmfwyp';
const blocks = 4;
export const floodMegabytes = 32;

export type ByLine<Value> = Partial<Record<LineKind['name'], Value>>;

async function echoOf(line: Line, key: string): Promise<number> {
  const code = key.charCodeAt(0);
  const shown = Promise.withResolvers<number>();
  const timer = setTimeout(() => {
    shown.reject(new Error(`The key ${key} was not echoed within ${String(lostMs)} ms.`));
  }, lostMs);
  line.onBytes = (bytes) => {
    if (bytes.includes(code)) shown.resolve(performance.now());
  };
  const pressed = performance.now();
  line.send(key);
  try {
    return (await shown.promise) - pressed;
  } finally {
    clearTimeout(timer);
    line.onBytes = () => undefined;
  }
}

/** Types as a quick person does, one key at a time, and notes how long each takes to appear. */
async function typeOn(line: Line, count: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let n = 0; n < count; n += 1) {
    // Uneven, so that it falls into step with no timer.
    await delay(15 + Math.random() * 30);
    latencies.push(await echoOf(line, keys.charAt(n % keys.length)));
    if ((n + 1) % keysInALine === 0) {
      line.send('\u0015');
      await delay(40);
    }
  }
  line.send('\u0015');
  await delay(40);
  return latencies;
}

/**
 * Latency of a key's echo by each way, taking turns, in ms.
 * @param count keys for each
 */
export async function measureEcho(
  kinds: readonly LineKind[],
  count: number,
): Promise<ByLine<{ readonly summary: Summary | null; readonly all: readonly number[] }>> {
  const latencies = new Map<LineKind['name'], number[]>();
  for (let block = 0; block < blocks; block += 1) {
    // A B C, C B A: what changes slowly meets all alike.
    for (const kind of block % 2 === 0 ? kinds : kinds.toReversed()) {
      const line = await kind.open();
      try {
        line.send('\r');
        await untilShown(line, /[$#] $/);
        const typed = await typeOn(line, Math.ceil(count / blocks));
        latencies.set(kind.name, [...(latencies.get(kind.name) ?? []), ...typed]);
      } finally {
        await line.close();
      }
    }
  }
  return Object.fromEntries([...latencies].map(([name, all]) => [name, { summary: summarise(all), all }]));
}

/** How fast a long output comes through, by each way, in megabytes a second. */
export async function measureFlood(kinds: readonly LineKind[], rounds: number): Promise<ByLine<Summary | null>> {
  const rates = new Map<LineKind['name'], number[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const line = await kind.open();
      try {
        line.send(
          `head -c ${String(floodMegabytes)}000000 /dev/zero | tr "\\0" x | fold -w 99 > /tmp/flood; echo made-$((40 + 2))\r`,
        );
        await untilShown(line, 'made-42');
        const started = performance.now();
        line.send('cat /tmp/flood; echo end-$((40 + 2))\r');
        await untilShown(line, 'end-42');
        const seconds = (performance.now() - started) / 1000;
        rates.set(kind.name, [...(rates.get(kind.name) ?? []), floodMegabytes / seconds]);
      } finally {
        await line.close();
      }
    }
  }
  return Object.fromEntries([...rates].map(([name, all]) => [name, summarise(all)]));
}
