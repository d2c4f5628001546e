import { posix } from 'node:path';
import { z } from 'zod';
import { buildHint, timeoutHint } from '../build-hints.ts';
import { whileUnchanged } from '../build-inputs.ts';
import { describeFailure, describeTimeout } from '../build-log.ts';
import type { CheckKind } from '../check-kind.ts';
import { dockerBuild } from '../docker-build.ts';
import type { BuildOutcome } from '../docker-build.ts';
import { contextParameter, dockerfileParameter, relativePath, stageParameter } from '../parameters.ts';
import { withTemporaryCopy } from '../temporary-copy.ts';

const schema = z.strictObject({
  target: stageParameter.describe('Stage whose build must fail.'),
  context: contextParameter,
  dockerfile: dockerfileParameter,
  replace: relativePath.describe('File that is replaced in a copy of the context.'),
  text: z.string().describe('What the file then holds.'),
  says: z.string().min(1).optional().describe('Text that the failing step prints.'),
});
type Parameters = z.output<typeof schema>;

const buildTimeoutMs = 300_000;

/** A gate that always says no is none: with the learner's own files the stage must build. All happens in a copy. */
export const stageFails: CheckKind<Parameters> = {
  name: 'stage-fails',
  summary: 'A stage builds with the files as they are, and its build fails when a given file is broken.',
  docs: {
    looksAt:
      'Two builds of the stage in a copy of the context: as it is it must pass, with one file replaced it must fail, in that stage.',
    example: `target: lint
replace: main.txt
text: FIXME`,
    fails:
      'Says that it still builds with the broken file, that it fails elsewhere, or for another reason, with the failing step.',
    limits: 'Live, a pass holds until the stage, those it takes from, the files or the base images change.',
  },
  schema,
  timeoutMs: 2 * buildTimeoutMs + 60_000,
  async run(parameters, context) {
    const { target, context: folder, dockerfile, replace, text } = parameters;
    const expected = `"docker build --target ${target}" succeeds as it is, and fails when ${replace} is broken.`;
    return whileUnchanged(context, ['stage-fails', parameters], { folder, dockerfile, target }, async () => {
      const wrong = await withTemporaryCopy(context, posix.join(context.labDir, folder), async (copy) => {
        const request = { context: copy.dir, dockerfile, target, timeoutMs: buildTimeoutMs, signal: context.signal };
        const good = judgeGood(await dockerBuild(context.shell, request));
        if (good !== undefined) return good;
        await copy.write(replace, text);
        return judgeBroken(await dockerBuild(context.shell, request), parameters);
      });
      if ('actual' in wrong) return { status: 'fail', expected, ...wrong };
      return { status: 'pass', expected, actual: `It does: ${wrong.step} fails.` };
    });
  },
};

interface Wrong {
  readonly actual: string;
  readonly hint: string;
}

function judgeGood(outcome: BuildOutcome): Wrong | undefined {
  if (outcome.status === 'built') return undefined;
  if (outcome.status === 'timed-out')
    return { actual: `As it is: ${describeTimeout(outcome.log, buildTimeoutMs)}`, hint: timeoutHint };
  return { actual: `As it is: ${describeFailure(outcome.failure)}`, hint: buildHint(outcome.failure) };
}

/** What is wrong with how the stage took the broken file, or the step that failed as it should. */
export function judgeBroken(
  outcome: BuildOutcome,
  { target, replace, says }: Pick<Parameters, 'target' | 'replace' | 'says'>,
): Wrong | { readonly step: string } {
  if (outcome.status === 'timed-out')
    return { actual: `With a broken ${replace} the stage did not end.`, hint: 'Look for a step that never ends.' };
  if (outcome.status === 'built') {
    return {
      actual: `With a broken ${replace} the stage "${target}" still builds.`,
      hint: `RUN what judges ${replace} in the stage, COPY the file there before it, and let its exit code be: no "|| true", nothing after ";" or "|".`,
    };
  }
  const { failure } = outcome;
  if (failure.stage !== target) {
    const where = failure.stage === '' ? 'before any stage' : `in the stage "${failure.stage}"`;
    return {
      actual: `The build fails, but ${where}: ${describeFailure(failure)}`,
      hint: `Move the step into "${target}".`,
    };
  }
  if (says !== undefined && !failure.output.includes(says) && !outcome.log.includes(says))
    return {
      actual: `The build fails, but for another reason: ${describeFailure(failure)}`,
      hint: `Let what the step prints be seen.`,
    };
  return { step: failure.instruction };
}
