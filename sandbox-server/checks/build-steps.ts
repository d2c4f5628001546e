import { z } from 'zod';

/** One step of a build that its Dockerfile names. */
export interface BuildStep {
  /** As BuildKit shows it: "[build 2/4] RUN go build". */
  readonly name: string;
  readonly stage: string;
  readonly instruction: string;
  readonly cached: boolean;
  /** Names of the steps whose result it takes: the one before it, and what COPY --from or a mount names. */
  readonly inputs: readonly string[];
}

const progressSchema = z.object({
  vertexes: z
    .array(
      z.object({
        digest: z.string(),
        name: z.string(),
        inputs: z.array(z.string()).nullish(),
        cached: z.boolean().optional(),
        completed: z.string().nullish(),
      }),
    )
    .nullish(),
});
type Vertex = NonNullable<z.output<typeof progressSchema>['vertexes']>[number];

/**
 * The steps of a finished build, in order, from its log with `--progress rawjson`: what steps print stands there as
 * data. FROM lines are no steps: whether an image counts as cached says nothing.
 */
export function parseBuildSteps(log: string): BuildStep[] {
  const vertexes = new Map<string, Vertex>();
  for (const document of documents(log)) {
    for (const vertex of readVertexes(document)) {
      const known = vertexes.get(vertex.digest);
      // Told again and again as it goes on; once cached, it stays so.
      const cached = known?.cached === true || vertex.cached === true;
      vertexes.set(vertex.digest, { ...known, ...vertex, cached });
    }
  }
  return [...vertexes.values()].flatMap(({ name, cached = false, completed, inputs }) => {
    const [, stage, instruction] = /^\[(?:[a-z0-9]+\/[a-z0-9/]+ )?(?:(\S+) +)?\d+\/\d+\] (.+)$/s.exec(name) ?? [];
    if (instruction === undefined || instruction.startsWith('FROM ')) return [];
    if (!cached && (completed === undefined || completed === null)) return [];
    const from = (inputs ?? []).flatMap((digest) => vertexes.get(digest)?.name ?? []);
    return [{ name, stage: stage ?? '', instruction, cached, inputs: from }];
  });
}

/** The JSON documents of a log, each on a line of its own or, as buildx 0.13 writes them, spread over several. */
function* documents(log: string): Generator<string> {
  let open = '';
  for (const line of log.split('\n')) {
    if (line.startsWith('{')) open = '';
    open += line;
    if (line.startsWith('}') || (line.startsWith('{') && line.trimEnd() !== '{')) yield open;
  }
}

/** What is not of the progress, such as a warning of the program's own, has none. */
function readVertexes(document: string): readonly Vertex[] {
  try {
    return progressSchema.safeParse(JSON.parse(document)).data?.vertexes ?? [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/**
 * The step with which it began that a step ran anew: the first one that did among those that it builds on, which may
 * be of another stage; itself when all those came from the cache.
 */
export function whereItBegan(step: BuildStep, steps: readonly BuildStep[]): BuildStep {
  const byName = new Map(steps.map((each) => [each.name, each]));
  const seen = new Set<BuildStep>();
  let at = step;
  for (;;) {
    seen.add(at);
    const before = at.inputs
      .flatMap((name) => byName.get(name) ?? [])
      .find((input) => !input.cached && !seen.has(input));
    if (before === undefined) return at;
    at = before;
  }
}
