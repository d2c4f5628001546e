import { z } from 'zod';

const byteUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

function quantity(text: string, units: Readonly<Record<string, number>>): number {
  const [, number = '', unit = ''] = /^([\d.]+) ?([a-zA-Z]+)$/.exec(text) ?? [];
  return Math.round(Number(number) * (units[unit] ?? Number.NaN));
}

/** "20 MB", "1.5 GiB": read as a number of bytes. kB, MB and GB count in thousands. */
export const byteSize = z
  .string()
  .regex(/^\d+(\.\d+)? ?(B|kB|MB|GB|KiB|MiB|GiB)$/, 'write a size as "20 MB" or "1.5 GiB"')
  .transform((text) => quantity(text, byteUnits));

/** "500ms", "10s", "2m": read as a number of milliseconds. */
export const duration = z
  .string()
  .regex(/^\d+(\.\d+)? ?(ms|s|m)$/, 'write a duration as "500ms", "10s" or "2m"')
  .transform((text) => quantity(text, durationUnits));

/** A time for people, in whole minutes or seconds: "5 minutes". */
export function formatDuration(ms: number): string {
  const [count, unit] =
    ms >= 120_000 && ms % 60_000 === 0 ? [ms / 60_000, 'minute'] : [Math.round(ms / 1000), 'second'];
  return `${String(count)} ${unit}${count === 1 ? '' : 's'}`;
}

/** Bytes for people, in thousands as the size budgets are: "5.5 MB". */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? 'B'}`;
}
