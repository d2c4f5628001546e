import type { Stage } from './dockerfile.ts';

/** The RUN of a stage that throws the exit code of what it runs away, if one does. */
export function swallowingRun(stage: Pick<Stage, 'runs'> | undefined): string | undefined {
  return stage?.runs.find((line) => /\|\|\s*(true|:|echo|exit 0)|;\s*(true|exit 0|:)\s*$|\|\s*\w+/.test(line));
}

/** What to say of a stage that builds although what it runs has failed. */
export function swallowedHint(stage: Pick<Stage, 'runs'> | undefined): string {
  const run = swallowingRun(stage);
  const named = run === undefined ? 'Something in the stage' : `"RUN ${run}"`;
  return `${named} throws the exit code away. Let the command that judges end the RUN by itself: no "|| true", nothing after ";" or "|".`;
}
