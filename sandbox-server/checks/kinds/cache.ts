import { randomInt } from 'node:crypto';
import { posix } from 'node:path';
import { z } from 'zod';
import { buildHint, timeoutHint } from '../build-hints.ts';
import { whileUnchanged } from '../build-inputs.ts';
import { describeFailure, describeTimeout } from '../build-log.ts';
import { parseBuildSteps } from '../build-steps.ts';
import type { BuildStep } from '../build-steps.ts';
import type { CheckKind, Verdict } from '../check-kind.ts';
import { dockerBuild } from '../docker-build.ts';
import { contextParameter, dockerfileParameter, relativePath, stageParameter } from '../parameters.ts';
import { withTemporaryCopy } from '../temporary-copy.ts';

const schema = z
  .strictObject({
    context: contextParameter,
    dockerfile: dockerfileParameter,
    target: stageParameter.optional().describe('Stage to build; the last one when left out.'),
    change: relativePath.describe('File that is changed in a copy of the context, between two builds.'),
    append: z.string().min(1).default('\n').describe('What is put at its end: something that keeps it valid.'),
    cached: z
      .array(z.string().min(1))
      .default([])
      .describe('Parts of instructions whose steps must all come from the cache.'),
    runs: z.array(z.string().min(1)).default([]).describe('Parts of instructions whose steps must all run again.'),
  })
  .refine(({ cached, runs }) => cached.length + runs.length > 0, 'name at least one of cached and runs');
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
    looksAt: `Two builds of a copy of the context with one file changed between them: BuildKit's progress tells which steps came from the cache.`,
    example: `change: main.txt
append: "\\n# changed\\n"
cached: [RUN cp /src/deps.txt]
runs: [RUN cp /src/main.txt]`,
    fails: 'Names the step that ran anew and the COPY that spoiled it, or the step that the change does not reach.',
    limits: 'Live, a pass holds until the stage, those it takes from, the files or the base images change.',
  },
  schema,
  alone: true,
  timeoutMs: 2 * buildTimeoutMs + 60_000,
  async run(parameters, context) {
    const { context: folder, dockerfile, target, change, cached, runs } = parameters;
    // With the same change as an earlier run's, all steps would come from that run's cache.
    const append = parameters.append.repeat(randomInt(1, 10_000));
    const wanted = [
      ...(cached.length === 0 ? [] : [`${quoted(cached)} cached`]),
      ...(runs.length === 0 ? [] : [`${quoted(runs)} run anew`]),
    ];
    const expected = `After a change to ${change}, a build has ${wanted.join(' and ')}.`;
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
        const second = await dockerBuild(context.shell, request);
        if (second.status !== 'built') return failed(second, expected);
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

const failed = (outcome: Exclude<Awaited<ReturnType<typeof dockerBuild>>, { status: 'built' }>, expected: string) =>
  outcome.status === 'timed-out'
    ? {
        status: 'fail' as const,
        expected,
        actual: describeTimeout(outcome.log, buildTimeoutMs),
        hint: timeoutHint,
      }
    : { status: 'fail' as const, expected, actual: describeFailure(outcome.failure), hint: buildHint(outcome.failure) };

/** What is wrong with what the cache gave, if anything. */
export function judgeCache(
  steps: readonly BuildStep[],
  { change, cached, runs }: Pick<Parameters, 'change' | 'cached' | 'runs'>,
): { actual: string; hint: string } | undefined {
  for (const part of [...cached, ...runs]) {
    if (steps.some(({ instruction }) => instruction.includes(part))) continue;
    const all = steps.map(({ instruction }) => instruction).join('\n');
    return {
      actual: `No step has "${part}". The steps are:\n${all}`,
      hint: `The Dockerfile needs a step with "${part}" that the build goes through.`,
    };
  }
  const spoiled = steps.find((step) => !step.cached && cached.some((part) => step.instruction.includes(part)));
  if (spoiled !== undefined) {
    const culprit = steps.find(
      (step) => !step.cached && step.stage === spoiled.stage && /^(COPY|ADD) /.test(step.instruction),
    );
    return {
      actual: `After a change to ${change}, ${spoiled.name} ran anew.`,
      hint:
        culprit === undefined
          ? 'A step runs anew when the step before it did, or when a file that it takes has changed.'
          : `"${culprit.instruction}" takes ${change} along, so it and all steps after it run anew. Copy first just what "${spoiled.instruction}" needs, and the rest after it.`,
    };
  }
  const stale = steps.find((step) => step.cached && runs.some((part) => step.instruction.includes(part)));
  if (stale === undefined) return undefined;
  return {
    actual: `After a change to ${change}, ${stale.name} still came from the cache: the change does not reach it.`,
    hint: `COPY ${change} before that step, and see that .dockerignore does not leave it out.`,
  };
}

const quoted = (parts: readonly string[]): string => parts.map((part) => `"${part}"`).join(', ');
