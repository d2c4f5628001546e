import { describe, expect, it } from 'vitest';
import type { PullFailure } from './pull-failure.ts';
import { Patience, pullPatiently } from './pull-patience.ts';

const limited: PullFailure = { kind: 'rate-limited', detail: '' };
const cut: PullFailure = { kind: 'cut', detail: 'EOF' };

/** Attempts that end as given, the last one for ever; with what was told, and after how many seconds it ended. */
async function play(
  outcomes: readonly (PullFailure | null)[],
  patience: Patience,
): Promise<{ end: PullFailure | null; attempts: number; told: string[]; seconds: number }> {
  const told: string[] = [];
  let attempts = 0;
  let seconds = 0;
  const end = await pullPatiently(
    () => {
      attempts += 1;
      return Promise.resolve(outcomes[Math.min(attempts, outcomes.length) - 1] ?? null);
    },
    {
      patience,
      host: 'r',
      report: (text) => told.push(text),
      pass: (passed) => {
        seconds += passed;
        return Promise.resolve();
      },
    },
  );
  return { end, attempts, told, seconds };
}

describe('pullPatiently', () => {
  it('waits as long as it is told, and counts down', async () => {
    const { end, told, seconds } = await play([{ ...limited, retryAfterSeconds: 12 }, null], new Patience(60));
    expect(end).toBeNull();
    expect(seconds).toBe(12);
    expect(told.map((text) => /\d+ s/.exec(text)?.[0])).toEqual(['12 s', '7 s', '2 s']);
  });

  it('waits longer each time where it is not told, within the bound', async () => {
    const { end, attempts, seconds } = await play([limited], new Patience(100));
    expect(end).toEqual(limited);
    // 15 + 30, and 60 would be too much.
    expect(seconds).toBe(45);
    expect(attempts).toBe(3);
  });

  it('does not wait at all for longer than the bound, which all images share', async () => {
    const patience = new Patience(10);
    const long = await play([{ ...limited, retryAfterSeconds: 11 }], patience);
    expect(long).toMatchObject({ attempts: 1, seconds: 0 });
    await play([{ ...limited, retryAfterSeconds: 8 }, null], patience);
    expect((await play([{ ...limited, retryAfterSeconds: 8 }, null], patience)).end).not.toBeNull();
  });

  it('does not ask without end where it is told to wait 0 seconds', async () => {
    expect((await play([{ ...limited, retryAfterSeconds: 0 }], new Patience(5))).attempts).toBe(6);
  });

  it('tries again a few times where the connection is cut, and says why', async () => {
    const { end, attempts, told, seconds } = await play([cut], new Patience(0));
    expect(end).toEqual(cut);
    expect(attempts).toBe(4);
    expect(seconds).toBe(7);
    expect(told[0]).toBe('r failed (EOF): trying again');
  });

  it('does not try again where it makes no sense', async () => {
    expect((await play([{ kind: 'missing', detail: '' }], new Patience(60))).attempts).toBe(1);
  });
});
