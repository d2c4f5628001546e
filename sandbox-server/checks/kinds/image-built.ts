import { posix } from 'node:path';
import { z } from 'zod';
import { BallastError } from '../../protocol/index.ts';
import { buildHint, timeoutHint } from '../build-hints.ts';
import { describeFailure, describeTimeout } from '../build-log.ts';
import type { CheckContext, CheckKind, Verdict } from '../check-kind.ts';
import { dockerBuild } from '../docker-build.ts';
import type { BuildOutcome } from '../docker-build.ts';
import { dockerCli } from '../docker-cli.ts';
import { contextParameter, dockerfileParameter, imageParameter } from '../parameters.ts';
import { judgeMarked, withMarkedCopy } from '../source-proof.ts';
import { sourceProofSchema } from '../source-proof-schema.ts';
import type { SourceProof } from '../source-proof-schema.ts';

const schema = z.strictObject({
  image: imageParameter,
  context: contextParameter,
  dockerfile: dockerfileParameter,
  compiledFrom: sourceProofSchema
    .optional()
    .describe('In the clean room: proof that what the image runs was compiled from the sources.'),
});
type Parameters = z.output<typeof schema>;

const buildTimeoutMs = 300_000;

/**
 * In a live session: the learner has built the image, and since they last changed the Dockerfile.
 * In the clean room: builds it from the submission, so that only the sources count.
 */
export const imageBuilt: CheckKind<Parameters> = {
  name: 'image-built',
  summary: 'The image can be built and, in a live session, has been since the Dockerfile last changed.',
  docs: {
    looksAt: `Live: whether the engine has an image of that name, and whether the Dockerfile is newer than the name's last build. In the clean room: builds the image from the submitted files. With \`compiledFrom\` it builds from a copy in which one source file answers with a word drawn for this run, and asks the service for that word: the image that all further checks judge is then one that was compiled. A service that gives no answer is asked again by the first check that gets one.`,
    example: `image: greeter
context: .`,
    fails:
      'Names the failing step, the line of the Dockerfile and the last lines it printed, or says that the image is older than the Dockerfile. Running out of memory, of disk and of time are told apart. The hint is made from the words of the failure, such as a file that .dockerignore leaves out.',
    limits: `Live, it takes the learner's word for what the image was built from: the clean room decides.`,
  },
  schema,
  timeoutMs: 2 * buildTimeoutMs + 60_000,
  run: (parameters, context) =>
    context.mode === 'live' ? findImage(parameters, context) : buildImage(parameters, context),
};

async function buildImage(parameters: Parameters, context: CheckContext): Promise<Verdict> {
  const { image, context: folder, dockerfile, compiledFrom } = parameters;
  const expected = `"docker build" makes the image ${image}.`;
  const build = (dir: string): Promise<BuildOutcome> =>
    dockerBuild(context.shell, {
      context: dir,
      dockerfile,
      tag: image,
      timeoutMs: buildTimeoutMs,
      signal: context.signal,
    });
  const asHandedIn = (): Promise<BuildOutcome> => build(posix.join(context.labDir, folder));
  if (compiledFrom === undefined) return judgeBuild(await asHandedIn(), expected);

  const { outcome, word } = await withMarkedCopy(compiledFrom, folder, context, async (dir, word) => ({
    outcome: await build(dir),
    word,
  }));
  if (outcome.status === 'timed-out') return judgeBuild(outcome, expected);
  if (outcome.status === 'failed') return judgeFailedCopy(await asHandedIn(), compiledFrom, expected);
  const judged = await judgeMarked(image, { proof: compiledFrom, word }, context);
  if (judged === 'proven') return { status: 'pass', expected, actual: 'It was compiled from your files.' };
  if (judged === 'owed') {
    const actual = `It was built from your files. Its service gave no answer on port ${String(compiledFrom.port)}, so what it runs is asked for once it does.`;
    return { status: 'pass', expected, actual };
  }
  return { status: 'fail', expected, ...judged };
}

function judgeBuild(outcome: BuildOutcome, expected: string): Verdict {
  if (outcome.status === 'built') return { status: 'pass', expected, actual: 'It was built from your files.' };
  if (outcome.status === 'timed-out') {
    return {
      status: 'fail',
      expected,
      actual: describeTimeout(outcome.log, buildTimeoutMs),
      hint: timeoutHint,
    };
  }
  return { status: 'fail', expected, actual: describeFailure(outcome.failure), hint: buildHint(outcome.failure) };
}

/** @param asHandedIn how the build of the files themselves went, after that of a copy with a word in it had failed */
function judgeFailedCopy(asHandedIn: BuildOutcome, { file }: SourceProof, expected: string): Verdict {
  if (asHandedIn.status !== 'built') return judgeBuild(asHandedIn, expected);
  return {
    status: 'fail',
    expected,
    actual: `It builds, but no longer once ${file} has had a harmless change.`,
    hint: `Let the Dockerfile compile the service from the files of the lab, ${file} among them, whatever they hold.`,
  };
}

async function findImage({ image, context: folder, dockerfile }: Parameters, context: CheckContext): Promise<Verdict> {
  const expected = `There is an image ${image}, built from the Dockerfile as it is now.`;
  const command = buildCommand(image, folder, dockerfile);
  const tagged = await tagTime(image, context);
  if (tagged === null) {
    return { status: 'fail', expected, actual: `There is no image ${image} yet.`, hint: `Build it: ${command}` };
  }
  const changed = await changeTime(posix.join(context.labDir, folder, dockerfile), context);
  if (isStale(tagged, changed)) {
    return {
      status: 'fail',
      expected,
      actual: `The Dockerfile has changed since ${image} was built: the image is of an older version.`,
      hint: `Build it again: ${command}`,
    };
  }
  return { status: 'pass', expected, actual: `${image} is there.` };
}

/** How the learner builds the image, from the lab folder. */
export function buildCommand(image: string, folder: string, dockerfile: string): string {
  const file = dockerfile === 'Dockerfile' ? '' : ` -f ${posix.join(folder, dockerfile)}`;
  return `docker build -t ${image}${file} ${folder}`;
}

/** File systems and engines round their clocks differently; a save and a build within this are taken as in order. */
const toleranceMs = 1000;

/**
 * Whether the file changed after the image got its name. An unknown time on either side is no reason to fail anyone.
 * @param tagged when the image got its name, in ms; NaN when the engine does not say
 * @param changed when the file last changed, in ms; NaN when there is none
 */
export function isStale(tagged: number, changed: number): boolean {
  return tagged > 0 && changed > tagged + toleranceMs;
}

/** When the image got its name, in ms since 1970; a cached build moves it too. Null when there is no such image. */
async function tagTime(image: string, context: CheckContext): Promise<number | null> {
  const argv = [dockerCli, 'image', 'inspect', '--format', '{{json .Metadata.LastTagTime}}', '--', image];
  const answer = await context.shell.run(argv, { timeoutMs: 30_000, signal: context.signal });
  if (answer.exitCode === 0) return Date.parse(answer.stdout.trim().replaceAll('"', ''));
  if (/no such image/i.test(answer.stderr)) return null;
  throw new BallastError('engine_failed', { message: `The sandbox's engine does not answer: ${answer.stderr.trim()}` });
}

async function changeTime(file: string, context: CheckContext): Promise<number> {
  const argv = ['/usr/bin/stat', '--format=%.3Y', '--', file];
  const answer = await context.shell.run(argv, { timeoutMs: 10_000, signal: context.signal });
  return answer.exitCode === 0 ? Number(answer.stdout.trim()) * 1000 : Number.NaN;
}
