import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { z } from 'zod';
import { buildHint, timeoutHint } from '../build-hints.ts';
import { whileUnchanged } from '../build-inputs.ts';
import { describeFailure, describeTimeout } from '../build-log.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { dockerBuild } from '../docker-build.ts';
import type { BuildOutcome } from '../docker-build.ts';
import { parseStages, readLabFile } from '../dockerfile.ts';
import type { Stage } from '../dockerfile.ts';
import { leftOutBy } from '../dockerignore.ts';
import type { LeftOut } from '../dockerignore.ts';
import { contextParameter, dockerfileParameter, relativePath, stageParameter } from '../parameters.ts';
import { swallowedHint } from '../stage-hints.ts';
import { withTemporaryCopy } from '../temporary-copy.ts';

const schema = z.strictObject({
  target: stageParameter.default('test').describe('Name of the stage that runs the tests.'),
  context: contextParameter,
  dockerfile: dockerfileParameter,
  breakFile: relativePath.describe('Test file that is replaced in a copy of the context.'),
  breakWith: z
    .string()
    .refine((text) => text.includes('{{first}}') && text.includes('{{second}}'), 'must hold {{first}} and {{second}}')
    .describe('A test that fails and prints the words {{first}} and {{second}} joined by "-".'),
});
type Parameters = z.output<typeof schema>;

const buildTimeoutMs = 300_000;

/**
 * Tests run in a stage of their own: its build passes with the learner's tests and fails, in that stage and because
 * of the test, when one is broken. The stage is built by name, since a build of the image skips it. A result of the
 * cache is as good as a run, being of the very same files; a broken test is a file that no cache has seen, so where it
 * reaches the stage it runs, and where the cache answers it did not reach it. The broken test prints a word that is put
 * together as it runs, so that neither a stage that always fails nor one that merely prints its files can pass. All
 * happens in a copy: the learner's files are never touched.
 */
export const testStage: CheckKind<Parameters> = {
  name: 'test-stage',
  summary: 'A stage of its own runs the tests, and its build fails when a test fails.',
  docs: {
    looksAt:
      'Two builds of the stage in a copy of the context: with the tests as they are it must pass, with a broken test it must fail, in that stage, and print a word that the broken test puts together as it runs.',
    example: `target: test
breakFile: main_test.go
breakWith: |
  package main

  import "testing"

  func TestBroken(t *testing.T) { t.Fatal("{{first}}" + "-" + "{{second}}") }`,
    fails:
      'Tells these apart: no such stage, the stage is the last one, the tests never ran, they ran and their failure was swallowed, they run in another stage, the build failed for another reason.',
    limits: 'Live, a pass holds until the stage, those it takes from, the files or the base images change.',
  },
  schema,
  timeoutMs: 2 * buildTimeoutMs + 60_000,
  async run(parameters, context) {
    const { target, context: folder, dockerfile } = parameters;
    const expected = `"docker build --target ${target}" runs the tests: it passes as they are, and fails when one is broken.`;
    return whileUnchanged(context, ['test-stage', parameters], { folder, dockerfile, target }, async () => {
      const judged = await judge(parameters, context);
      if ('failingStep' in judged) {
        const actual = `It does: with a broken test, ${judged.failingStep} fails and so does the build.`;
        return { status: 'pass', expected, actual };
      }
      return { status: 'fail', expected, ...judged };
    });
  },
};

interface Wrong {
  readonly actual: string;
  readonly hint: string;
}

async function judge(parameters: Parameters, context: CheckContext): Promise<Wrong | { readonly failingStep: string }> {
  const { target, context: folder, dockerfile, breakFile, breakWith } = parameters;
  const text = await readLabFile(context, posix.join(folder, dockerfile));
  if (text === null) return { actual: `There is no ${dockerfile}.`, hint: 'It must lie at the top of the lab folder.' };
  const stages = parseStages(text);
  const misplaced = judgeStages(stages, target);
  if (misplaced !== undefined) return misplaced;

  return withTemporaryCopy(context, posix.join(context.labDir, folder), async (copy) => {
    const request = { context: copy.dir, dockerfile, target, timeoutMs: buildTimeoutMs, signal: context.signal };
    const asTheyAre = judgeUnbroken(await dockerBuild(context.shell, request));
    if (asTheyAre !== undefined) return asTheyAre;

    const [first, second] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
    await copy.write(breakFile, breakWith.replaceAll('{{first}}', first).replaceAll('{{second}}', second));
    const broken = await dockerBuild(context.shell, request);
    const stage = stages.find(({ name }) => name === target);
    const leftOut = await leftOutBy(context, folder, dockerfile, breakFile);
    const wrong = judgeBroken(broken, `${first}-${second}`, target, stage, leftOut);
    return wrong ?? { failingStep: broken.status === 'failed' ? broken.failure.instruction : '' };
  });
}

/** What is wrong with how the stage took the tests as they are, if anything. */
function judgeUnbroken(outcome: BuildOutcome): Wrong | undefined {
  if (outcome.status === 'built') return undefined;
  if (outcome.status === 'timed-out') {
    return {
      actual: `With the tests as they are: ${describeTimeout(outcome.log, buildTimeoutMs)}`,
      hint: timeoutHint,
    };
  }
  const { failure } = outcome;
  return { actual: `With the tests as they are, ${decapitalize(describeFailure(failure))}`, hint: buildHint(failure) };
}

/** What is wrong with the place of the test stage among the others, if anything. */
export function judgeStages(stages: readonly Stage[], target: string): Wrong | undefined {
  const index = stages.findIndex(({ name }) => name === target);
  if (index < 0) {
    const names = stages.filter(({ name }) => !/^\d+$/.test(name)).map(({ name }) => `"${name}"`);
    const others = names.length === 0 ? 'none has a name' : `those with a name are ${names.join(', ')}`;
    const count = stages.length === 1 ? 'one stage' : `${String(stages.length)} stages`;
    const actual = `There is no stage called "${target}": the Dockerfile has ${count}, ${others}.`;
    return {
      actual,
      hint: `Begin a stage with "FROM build AS ${target}", where "build" has the sources and the toolchain, and RUN the tests in it.`,
    };
  }
  if (index === stages.length - 1) {
    return {
      actual: `The stage "${target}" is the last one, so it is what gets shipped.`,
      hint: 'A plain "docker build" makes the last stage. Let the runtime stage come last, after the tests.',
    };
  }
  return undefined;
}

/**
 * What is wrong with how the stage took a broken test, if anything.
 * @param word what the broken test prints when it really runs
 * @param leftOut what keeps the test out of the build context, if anything
 */
export function judgeBroken(
  outcome: BuildOutcome,
  word: string,
  target: string,
  stage: Stage | undefined,
  leftOut?: LeftOut,
): Wrong | undefined {
  if (outcome.status === 'timed-out')
    return {
      actual: `With a broken test, the stage did not end: ${describeTimeout(outcome.log, buildTimeoutMs)}`,
      hint: timeoutHint,
    };
  const ran = outcome.log.includes(word);
  if (outcome.status === 'built') {
    const actual = ran
      ? `The tests ran and failed, but the build of the stage "${target}" passed all the same.`
      : `With a broken test, the build of the stage "${target}" still passed: the test never ran.`;
    return { actual, hint: ran ? swallowedHint(stage) : neverRanHint(stage, target, leftOut) };
  }
  if (!ran) {
    return {
      actual: `With a broken test the build failed, but not because of the test: ${decapitalize(describeFailure(outcome.failure))}`,
      hint: 'RUN the tests themselves in the stage, and let their output be seen.',
    };
  }
  if (outcome.failure.stage !== target) {
    return {
      actual: `The tests run in the stage "${outcome.failure.stage}", not in "${target}".`,
      hint: `Move the RUN that tests into "${target}": then a plain build of the image does not wait for it, and CI builds it with --target ${target}.`,
    };
  }
  return undefined;
}

function neverRanHint(stage: Stage | undefined, target: string, leftOut: LeftOut | undefined): string {
  if (leftOut !== undefined) return `${leftOut.file} keeps the test out of the build, by its line "${leftOut.line}".`;
  if (stage === undefined || stage.runs.length === 0)
    return `The stage "${target}" has no RUN. Add one that runs the tests.`;
  if (!stage.runs.some((run) => /\btest\b/.test(run))) return `No RUN of the stage "${target}" runs the tests.`;
  return 'Do the test files reach the stage? .dockerignore does not leave them out: look at what its COPY takes.';
}

const decapitalize = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
