/** Some measurements of the same thing. */
export interface Summary {
  readonly n: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly p90: number;
  readonly p99: number;
}

const rounded = (value: number): number => Number(value.toPrecision(4));

/** The value that a share of the (sorted) values does not exceed: the nearest rank. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** Sums measurements up; null when there are none. */
export function summarise(values: readonly number[]): Summary | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (percentile(sorted, 0.5) + (sorted[sorted.length >> 1] ?? NaN)) / 2;
  return {
    n: sorted.length,
    median: rounded(middle),
    min: rounded(percentile(sorted, 0)),
    max: rounded(percentile(sorted, 1)),
    p90: rounded(percentile(sorted, 0.9)),
    p99: rounded(percentile(sorted, 0.99)),
  };
}

/** How many times as large the one median is as the other; null when one is missing. */
export function ratio(above: Summary | null, below: Summary | null): number | null {
  return above === null || below === null || below.median === 0 ? null : rounded(above.median / below.median);
}
