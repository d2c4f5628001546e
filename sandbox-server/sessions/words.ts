import type { Standing } from './session-clock.ts';

/** What a learner is told before the end. */
export function endingNotice({ reason, endsAt }: Pick<Standing, 'reason' | 'endsAt'>, now: number): string {
  const minutes = Math.max(1, Math.round((endsAt - now) / 60_000));
  const when = `This sandbox ends in ${String(minutes)} ${minutes === 1 ? 'minute' : 'minutes'}`;
  return reason === 'time'
    ? `${when}. Extend it to go on; your files are kept in any case.`
    : `${when}, since nothing was done in it for a while. Press a key in the terminal, or extend it, to go on.`;
}

/** What a learner is told after it. */
export function farewell(reason: 'time' | 'idle', kept: boolean): string {
  const why = reason === 'time' ? 'The time of your sandbox was up.' : 'Your sandbox was left alone and has ended.';
  return kept ? `${why} Your files are kept: they come back when you start a new one.` : why;
}

/** Whether a line of a sandbox's log says that the engine in it has ended; see `supervise` in sandbox-image/. */
export function engineEnded(line: string): boolean {
  return line.startsWith('The Docker Engine ended with exit code ');
}
