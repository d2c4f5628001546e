import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { z } from 'zod';
import { buildHint, timeoutHint } from '../build-hints.ts';
import { whileUnchanged } from '../build-inputs.ts';
import { describeFailure, describeTimeout } from '../build-log.ts';
import { parseBuildSteps, whereItBegan } from '../build-steps.ts';
import type { BuildStep } from '../build-steps.ts';
import type { CheckContext, CheckKind, Verdict } from '../check-kind.ts';
import { dockerBuild } from '../docker-build.ts';
import { readLabFile, soleStageWith } from '../dockerfile.ts';
import { contextParameter, dockerfileParameter, relativePath, stageParameter } from '../parameters.ts';
import { withTemporaryCopy } from '../temporary-copy.ts';

const schema = z
  .strictObject({
    context: contextParameter,
    dockerfile: dockerfileParameter,
    target: stageParameter
      .optional()
      .describe(
        'Stage to build; when left out, the last one, or just the stage that has all those RUN steps where the image takes from it.',
      ),
    change: relativePath.describe('File that is changed in a copy of the context, between two builds.'),
    append: z
      .string()
      .refine((text) => text.includes('{{nonce}}'), 'must hold {{nonce}}')
      .describe(
        'What is put at its end: something that keeps it valid, such as a comment; {{nonce}} is 16 hexadecimal digits that are drawn anew, so that no earlier run has cached what is built from it.',
      ),
    cached: z
      .array(z.string().min(1))
      .default([])
      .describe('Parts of instructions whose steps must all come from the cache.'),
    runs: z.array(z.string().min(1)).default([]).describe('Parts of instructions whose steps must all run again.'),
    exactly: z
      .boolean()
      .default(false)
      .describe('Whether the steps under `runs` are all that may run again: each other one must come from the cache.'),
  })
  .refine(({ cached, runs }) => cached.length + runs.length > 0, 'name at least one of cached and runs')
  .refine(({ exactly, runs }) => !exactly || runs.length > 0, 'with exactly, name the steps that run');
type Parameters = z.output<typeof schema>;

const buildTimeoutMs = 300_000;

/**
 * Builds a copy of the context, changes one file of it, builds again, and looks at which steps the second build took
 * from the cache. The learner's files are never touched, and the cache is theirs: nothing is pruned.
 */
export const cache: CheckKind<Parameters> = {
  name: 'cache',
  summary: 'After a change to a given file, certain steps of the build come from the cache and others run.',
  docs: {
    looksAt: `Two builds of a copy of the context with one file changed between them: BuildKit's machine-readable progress tells which steps came from the cache.`,
    example: `change: main.txt
append: "\\n# {{nonce}}\\n"
cached: [RUN cp /src/deps.txt]
runs: [RUN cp /src/main.txt]`,
    fails:
      'Names the step that ran anew and the COPY with which it began, also where that is in another stage, or the step that the change does not reach.',
    limits: 'Live, a pass holds until that stage, those it takes from, the files or the base images change.',
  },
  schema,
  alone: true,
  timeoutMs: 2 * buildTimeoutMs + 60_000,
  async run(parameters, context) {
    const { context: folder, dockerfile, change, cached, runs, exactly } = parameters;
    // With the same change as an earlier run's, all steps would come from that run's cache.
    const append = parameters.append.replaceAll('{{nonce}}', randomBytes(8).toString('hex'));
    const wanted = [
      ...(cached.length === 0 ? [] : [`${quoted(cached)} cached`]),
      ...(runs.length === 0 ? [] : [`${quoted(runs)} run anew`]),
    ];
    const expected = `After a change to ${change}, a build has ${wanted.join(' and ')}${exactly ? ', and no other step' : ''}.`;
    const target = await stageToBuild(parameters, context);
    const judge = (): Promise<Verdict> =>
      withTemporaryCopy(context, posix.join(context.labDir, folder), async (copy) => {
        const request = {
          context: copy.dir,
          dockerfile,
          timeoutMs: buildTimeoutMs,
          signal: context.signal,
          ...(target === undefined ? {} : { target }),
        };
        const text = await copy.read(change);
        if (text === null)
          return {
            status: 'fail',
            expected,
            actual: `There is no ${change}.`,
            hint: `Put ${change} back where it was.`,
          };
        const first = await dockerBuild(context.shell, request);
        if (first.status !== 'built') return failed(first, expected);
        await copy.write(change, `${text}${append}`);
        const second = await dockerBuild(context.shell, { ...request, progress: 'rawjson' });
        if (second.status === 'timed-out') return failed(second, expected);
        // What failed is described by the words of another form of progress, so it is asked for again in that form.
        if (second.status === 'failed') {
          const again = await dockerBuild(context.shell, request);
          return again.status === 'built' ? unsteady(change, expected) : failed(again, expected);
        }
        const steps = parseBuildSteps(second.log);
        const wrong = judgeCache(steps, parameters);
        if (wrong !== undefined) return { status: 'fail', expected, ...wrong };
        const count = steps.filter((step) => step.cached).length;
        return {
          status: 'pass',
          expected,
          actual: `It has: ${String(count)} of ${String(steps.length)} steps came from the cache.`,
        };
      });
    return whileUnchanged(context, ['cache', parameters], { folder, dockerfile, target }, judge);
  },
};

/**
 * The stage that tells whether the steps come from the cache; undefined for the last one. What comes after the stage that
 * has them says nothing of them, and need not be built, or judged anew when it changes.
 * @throws CheckFailed for a Dockerfile that is too long to be read
 */
async function stageToBuild(
  { context: folder, dockerfile, target, cached, runs, exactly }: Parameters,
  context: CheckContext,
): Promise<string | undefined> {
  if (target !== undefined || exactly) return target;
  const text = await readLabFile(context, posix.join(folder, dockerfile));
  return text === null ? undefined : soleStageWith(text, [...cached, ...runs]);
}

const failed = (outcome: Exclude<Awaited<ReturnType<typeof dockerBuild>>, { status: 'built' }>, expected: string) =>
  outcome.status === 'timed-out'
    ? {
        status: 'fail' as const,
        expected,
        actual: describeTimeout(outcome.log, buildTimeoutMs),
        hint: timeoutHint,
      }
    : { status: 'fail' as const, expected, actual: describeFailure(outcome.failure), hint: buildHint(outcome.failure) };

const unsteady = (change: string, expected: string): Verdict => ({
  status: 'fail',
  expected,
  actual: `After a change to ${change} the build failed once, and passed when it was tried again.`,
  hint: 'Look for a step that fails now and then.',
});

/** What is wrong with what the cache gave, if anything. */
export function judgeCache(
  steps: readonly BuildStep[],
  { change, cached, runs, exactly = false }: Pick<Parameters, 'change' | 'cached' | 'runs'> & { exactly?: boolean },
): { actual: string; hint: string } | undefined {
  for (const part of [...cached, ...runs]) {
    if (steps.some(({ instruction }) => instruction.includes(part))) continue;
    const all = steps.map(({ instruction }) => instruction).join('\n');
    return {
      actual: `No step has "${part}". The steps are:\n${all}`,
      hint: `The Dockerfile needs a step with "${part}" that the build goes through.`,
    };
  }
  const named = (parts: readonly string[], { instruction }: BuildStep): boolean =>
    parts.some((part) => instruction.includes(part));
  const spoiled = steps.find((step) => !step.cached && (named(cached, step) || (exactly && !named(runs, step))));
  if (spoiled !== undefined) {
    return {
      actual: `After a change to ${change}, ${spoiled.name} ran anew.`,
      hint: spoiledHint(spoiled, whereItBegan(spoiled, steps), change),
    };
  }
  const stale = steps.find((step) => step.cached && named(runs, step));
  if (stale === undefined) return undefined;
  return {
    actual: `After a change to ${change}, ${stale.name} still came from the cache: the change does not reach it.`,
    hint: `COPY ${change} before that step, and see that .dockerignore does not leave it out.`,
  };
}

/** @param began the step that ran anew first, of those that the spoiled one builds on */
function spoiledHint(spoiled: BuildStep, began: BuildStep, change: string): string {
  if (began === spoiled)
    return `It takes ${change} along itself: all that it builds on came from the cache. Let it take just the files that it needs.`;
  if (!/^(COPY|ADD) /.test(began.instruction))
    return `It began with ${began.name}, which ran anew, and with it all that builds on it.`;
  const then =
    began.stage === spoiled.stage
      ? 'so it and all steps after it run anew'
      : `so it and all that builds on the stage "${began.stage}" run anew, "${spoiled.instruction}" among them`;
  return `"${began.instruction}" takes ${change} along, ${then}. Copy first just what "${spoiled.instruction}" needs, and the rest after it.`;
}

const quoted = (parts: readonly string[]): string => parts.map((part) => `"${part}"`).join(', ');
