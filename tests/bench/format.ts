import type { Summary } from './statistics.ts';

const dash = '–';

/** A time in ms, in the unit that reads best. */
export function formatMs(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
}

/** A size in bytes, in powers of 1000. */
export function formatSize(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes >= 1e8 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export const formatRate = (rate: number): string => `${rate.toFixed(1)} MB/s`;

/** "684 ms (650 ms – 912 ms)": the median, and the range of what was measured. */
export function withRange(summary: Summary | null | undefined, format: (value: number) => string): string {
  if (summary === null || summary === undefined) return dash;
  const { n, median, min, max } = summary;
  return n === 1 ? format(median) : `${format(median)} (${format(min)} – ${format(max)})`;
}

/** "16 ×", with as many digits as mean something. */
export function formatRatio(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return dash;
  return `${value >= 20 ? value.toFixed(0) : value.toFixed(1)} ×`;
}

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** As Markdown. */
export function toMarkdown({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** In columns, for a terminal. */
export function toText({ head, rows }: Table): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return all.map(line).join('\n');
}
