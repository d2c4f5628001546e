import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { z } from 'zod';
import { buildHint, timeoutHint } from '../build-hints.ts';
import { whileUnchanged } from '../build-inputs.ts';
import { describeFailure, describeTimeout } from '../build-log.ts';
import type { CheckKind } from '../check-kind.ts';
import { dockerBuild } from '../docker-build.ts';
import type { BuildOutcome } from '../docker-build.ts';
import { parseStages, readLabFile } from '../dockerfile.ts';
import type { Stage } from '../dockerfile.ts';
import { leftOutBy } from '../dockerignore.ts';
import type { LeftOut } from '../dockerignore.ts';
import { contextParameter, dockerfileParameter, relativePath, stageParameter } from '../parameters.ts';
import { swallowedHint, swallowingRun } from '../stage-hints.ts';
import { withTemporaryCopy } from '../temporary-copy.ts';

const schema = z.strictObject({
  target: stageParameter.describe('Stage whose build must fail.'),
  context: contextParameter,
  dockerfile: dockerfileParameter,
  replace: relativePath.describe('File that is replaced in a copy of the context.'),
  text: z
    .string()
    .refine((text) => text.includes('{{nonce}}'), 'must hold {{nonce}}')
    .describe(
      'What the file then holds; {{nonce}} is 16 hexadecimal digits that are drawn anew, so that nobody knows the file.',
    ),
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
      'Two builds of the stage in a copy of the context: as it is it must pass, with one file replaced, by a text that is new each time, it must fail, in that stage.',
    example: `target: lint
replace: main.txt
text: 'FIXME {{nonce}}'`,
    fails:
      'Says that it still builds with the broken file, that it fails elsewhere, or for another reason, with the failing step. The hint names the line of .dockerignore that leaves the file out, or the RUN that throws the exit code away.',
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
        await copy.write(replace, text.replaceAll('{{nonce}}', randomBytes(8).toString('hex')));
        const broken = await dockerBuild(context.shell, request);
        const dockerfileText = await readLabFile(context, posix.join(folder, dockerfile));
        const stage = parseStages(dockerfileText ?? '').find(({ name }) => name === target);
        return judgeBroken(broken, parameters, {
          stage,
          leftOut: await leftOutBy(context, folder, dockerfile, replace),
        });
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
  { stage, leftOut }: { readonly stage?: Stage | undefined; readonly leftOut?: LeftOut | undefined } = {},
): Wrong | { readonly step: string } {
  if (outcome.status === 'timed-out')
    return {
      actual: `With a broken ${replace} the stage did not end: ${describeTimeout(outcome.log, buildTimeoutMs)}`,
      hint: timeoutHint,
    };
  if (outcome.status === 'built') {
    return {
      actual: `With a broken ${replace} the stage "${target}" still builds.`,
      hint: stillBuildsHint(replace, says !== undefined && outcome.log.includes(says), stage, leftOut),
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

/** @param said whether what judges the file has run, and said so */
function stillBuildsHint(
  replace: string,
  said: boolean,
  stage: Stage | undefined,
  leftOut: LeftOut | undefined,
): string {
  if (leftOut !== undefined) return `${leftOut.file} keeps ${replace} out of the build, by its line "${leftOut.line}".`;
  if (said || swallowingRun(stage) !== undefined) return swallowedHint(stage);
  return `RUN what judges ${replace} in the stage, and COPY the file there before it.`;
}
