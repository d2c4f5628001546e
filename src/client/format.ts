/** Bytes as people write them, in powers of ten: 812 MB, 5.5 MB, 940 kB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 99.5 ? (value < 9.95 ? 2 : 1) : 0;
  // 5.50 and 12.0 say no more than 5.5 and 12.
  return `${String(Number(value.toFixed(digits)))} ${units[unit] ?? ''}`;
}

/** A duration in words short enough for a row: 340 ms, 1.2 s, 2 min 5 s. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${String(Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${String(Math.floor(seconds / 60))} min ${String(seconds % 60)} s`;
}

/** Time left, coarse while there is plenty: 1 h 58 min, 12 min, 4:05, 0:00. */
export function formatCountdown(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${String(Math.floor(minutes / 60))} h ${String(minutes % 60)} min`;
  if (minutes >= 10) return `${String(minutes)} min`;
  return `${String(minutes)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** How long somebody waits, in round words. */
export function formatWait(seconds: number): string {
  if (seconds < 60) return 'less than a minute';
  const minutes = Math.ceil(seconds / 60);
  return `about ${String(minutes)} ${minutes === 1 ? 'minute' : 'minutes'}`;
}
