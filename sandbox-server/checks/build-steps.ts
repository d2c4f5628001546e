/** One step of a build that its Dockerfile names. */
export interface BuildStep {
  /** As BuildKit shows it: "[build 2/4] RUN go build". */
  readonly name: string;
  readonly stage: string;
  readonly instruction: string;
  readonly cached: boolean;
}

/**
 * The steps of a finished build, in order, from its log with `--progress plain`. BuildKit puts a number and a time
 * before all that steps print, so no step can print what looks like one of these lines. FROM lines are no steps:
 * whether an image counts as cached says nothing.
 */
export function parseBuildSteps(log: string): BuildStep[] {
  const steps = new Map<string, Omit<BuildStep, 'cached'>>();
  const ends = new Map<string, boolean>();
  for (const line of log.split('\n')) {
    const [, id = '', text = ''] = /^#(\d+) (.*)$/.exec(line.trimEnd()) ?? [];
    const [, stage, instruction] = /^\[(?:[a-z0-9]+\/[a-z0-9/]+ )?(?:(\S+) +)?\d+\/\d+\] (.+)$/.exec(text) ?? [];
    if (instruction !== undefined && !instruction.startsWith('FROM ')) {
      steps.set(id, { name: text, stage: stage ?? '', instruction });
    } else if (text === 'CACHED') {
      ends.set(id, true);
    } else if (/^DONE \d/.test(text)) {
      // A step that was cached may also be said to be done; the first word counts.
      if (!ends.has(id)) ends.set(id, false);
    }
  }
  return [...steps].flatMap(([id, step]) => {
    const cached = ends.get(id);
    return cached === undefined ? [] : [{ ...step, cached }];
  });
}
