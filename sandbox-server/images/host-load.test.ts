import { expect, it } from 'vitest';
import { waitedUs, watchHost } from './host-load.ts';

it('reads how long programs have waited, where the kernel counts it', () => {
  expect(waitedUs(() => 'some avg10=1.00 avg60=0.00 avg300=0.00 total=1234\nfull avg10=0.00 total=5\n')).toBe(1234);
  expect(waitedUs(() => 'nothing of the kind')).toBeNull();
  expect(
    waitedUs(() => {
      throw new Error('no such file');
    }),
  ).toBeNull();
});

it.each([
  ['busy', 10_000, 4_000_000, true],
  ['idle', 10_000, 2_000_000, false],
  ['too short to say', 500, 500_000, null],
  ['not counted', 10_000, null, null],
])('a machine that is %s', (_, elapsedMs, waited, busy) => {
  let time = 0;
  let total: number | null = 7;
  const isBusy = watchHost(
    () => total,
    () => time,
  );
  time = elapsedMs;
  total = waited === null ? null : 7 + waited;
  expect(isBusy()).toBe(busy);
});
