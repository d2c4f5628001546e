import { missingSource } from './build-evidence.ts';
import { failureCause } from './build-log.ts';
import type { BuildFailure } from './build-log.ts';
import { shortInstruction } from './folder-sizes.ts';

/** A cause that shows in the log, and what to do about it. The first that fits is said. */
interface Cause {
  readonly when: (failure: BuildFailure) => boolean;
  readonly hint: (failure: BuildFailure) => string;
}

const inError = (pattern: RegExp) => (failure: BuildFailure) => pattern.test(failure.error);
const inOutput = (pattern: RegExp) => (failure: BuildFailure) => pattern.test(`${failure.output}\n${failure.error}`);

const causes: readonly Cause[] = [
  {
    when: (failure) => failureCause(failure) === 'out-of-memory',
    hint: () =>
      'The sandbox has only so much memory ("free -m" shows it). Let the step do less at once: fewer parallel jobs, such as GOFLAGS=-p=1 or make -j1, and stop containers that you no longer need.',
  },
  {
    when: (failure) => failureCause(failure) === 'out-of-disk',
    hint: () =>
      '"docker builder prune -f" and "docker image prune -f" free some space; "docker system df" shows what takes it.',
  },
  {
    when: (failure) => failureCause(failure) === 'out-of-processes',
    hint: () => 'Look for a step that starts programs without end, or without waiting for those before.',
  },
  {
    when: inError(
      /failed to resolve source metadata for docker\.io\/docker\/dockerfile|resolve image config for docker-image:\/\/docker\.io\/docker\/dockerfile/,
    ),
    hint: () =>
      'A "# syntax=" line makes BuildKit fetch its own newer version from a registry, and the sandbox has no network. Delete that line: nothing in this lab needs it.',
  },
  {
    when: inError(/failed to resolve source metadata|pull access denied|manifest unknown/),
    hint: ({ error }) => {
      const ref = /failed to resolve source metadata for ([^\s:]+(?::[\w.-]+)?)/.exec(error)?.[1];
      const name = ref === undefined ? 'The image' : `"${ref.replace(/^docker\.io\/(library\/)?/, '')}"`;
      return `${name} is neither in this sandbox nor a stage of your Dockerfile. "docker images" lists what is here; look for a typo in FROM or COPY --from.`;
    },
  },
  {
    when: inError(/failed to read dockerfile|open Dockerfile: no such file/),
    hint: ({ error }) => {
      const name = /open (\S+): no such file/.exec(error)?.[1] ?? 'Dockerfile';
      const capital = name.startsWith('Dockerfile') ? ', with a capital D' : '';
      return `There must be a file called ${name}${capital}, at the top of the build context.`;
    },
  },
  {
    when: inError(/dockerfile parse error|unknown instruction|unknown flag/i),
    hint: () => 'The Dockerfile has a mistake in its syntax at the line named.',
  },
  {
    when: inError(/target stage .* could not be found/),
    hint: ({ error }) => {
      const name = /target stage "?([^\s"]+)"? could not be found/.exec(error)?.[1] ?? '<name>';
      return `No stage of the Dockerfile is called so. Name it with "AS": FROM … AS ${name}.`;
    },
  },
  {
    when: inError(
      /failed to calculate checksum|failed to compute cache key|: not found$|buildkit-mount\d+\/[^:]+: no such file or directory$/,
    ),
    hint: copyHint,
  },
  {
    when: inOutput(/exec: "\/bin\/sh": stat \/bin\/sh|exec \/bin\/sh: no such file|\/bin\/sh.*no such file/),
    hint: () =>
      'RUN needs a shell, and this stage is from an image without one. Do the work in an earlier stage and COPY --from it.',
  },
  {
    when: inOutput(
      /dial tcp|no such host|Temporary failure (in name resolution|resolving)|Could not resolve|ENOTFOUND|EAI_AGAIN|Failed to establish a new connection|Network is unreachable/,
    ),
    hint: () =>
      'The step wants to download something, and the sandbox has no network. All that this lab needs is here already.',
  },
  {
    when: inOutput(/go\.mod file not found|cannot find main module/),
    hint: ({ evidence }) => {
      const where =
        evidence?.workdir === undefined
          ? 'where the step runs and above; WORKDIR says where that is, and the step has none'
          : `in ${evidence.workdir}, where WORKDIR has the step run, and above`;
      return `Go looks for go.mod ${where}. COPY it there first.`;
    },
  },
  {
    when: inOutput(/^--- FAIL: /m),
    hint: ({ output }) => {
      const [, test = ''] = /^--- FAIL: (\S+)/m.exec(output) ?? [];
      return `The test ${test} fails, and the step with it. What it prints stands above; "go test ./..." in the terminal says the same.`;
    },
  },
  {
    when: inOutput(/^\S*\.go:\d+:\d+: /m),
    hint: ({ output }) => {
      const [, file = '', line = ''] = /^(?:vet: )?(?:\.\/)?(\S+\.go):(\d+):\d+: /m.exec(output) ?? [];
      return `The compiler does not accept ${file}, line ${line}: the mistake is in the code and not in the Dockerfile.`;
    },
  },
  {
    when: (failure) => failure.exitCode === 126,
    hint: () => 'The file is there but may not be run: look at its mode (COPY --chmod=755) and at its first line.',
  },
  {
    when: inOutput(/permission denied|EACCES/i),
    hint: ({ output, error, evidence }) => {
      const path = deniedPath(`${output}\n${error}`);
      const who = evidence?.user === undefined ? 'the user that the base image names' : `the user "${evidence.user}"`;
      const what = path === undefined ? 'may not do that' : `may not do that with ${path}`;
      return `The step runs as ${who}, who ${what}. Let what needs root come before USER, and give files to the user with COPY --chown.`;
    },
  },
  {
    when: (failure) => failure.exitCode === 127,
    hint: ({ output, error, stage }) => {
      const program = missingProgram(`${output}\n${error}`);
      const what = program === undefined ? 'The program' : `"${program}"`;
      const where = stage === '' ? 'this stage' : `the stage "${stage}"`;
      return `${what} is not in the image of ${where}, or not in its PATH.`;
    },
  },
];

/** What to do about a failed build, in a sentence or two. */
export function buildHint(failure: BuildFailure): string {
  const cause = causes.find(({ when }) => when(failure));
  if (cause !== undefined) return cause.hint(failure);
  const { instruction, exitCode } = failure;
  const ended = exitCode === null ? 'failed' : `ended with ${String(exitCode)}`;
  const what = instruction === '' ? '' : `"${shortInstruction(instruction)}" ${ended}. `;
  return `${what}Run the same build in the terminal and read what the failing step prints.`;
}

/** What a COPY did not find, and where: in the build context, or in the stage or image that it takes from. */
function copyHint(failure: BuildFailure): string {
  const path = missingSource(failure);
  if (path === undefined)
    return 'COPY did not find its source. Paths count from the build context (or, with --from, from the root of that stage), and .dockerignore hides what it names.';
  const from = /--from=(\S+)/.exec(failure.instruction)?.[1];
  if (from !== undefined)
    return `There is no /${path} in "${from}", which COPY takes from: paths count from its root. Compare with what its steps write, and where.`;
  const { evidence } = failure;
  if (evidence?.ignoredBy !== undefined)
    return `The line "${evidence.ignoredBy}" of .dockerignore leaves ${path} out of the build context. Take it out there, or add "!${path}" below it.`;
  const perhaps = evidence === undefined ? ' Or does .dockerignore leave it out?' : '';
  return `There is no ${path} in the build context, from which the paths of COPY count.${perhaps}`;
}

/** The path that a program said it may not use. */
function deniedPath(text: string): string | undefined {
  const line = text.split('\n').find((each) => /permission denied|EACCES/i.test(each)) ?? '';
  return (
    /["'‘`](\.{0,2}\/[^"'’`]*)["'’`]/.exec(line)?.[1] ??
    /(?:^|[\s:])(\.{0,2}\/[^\s:]+):? permission denied/i.exec(line)?.[1]
  );
}

/** The program that a shell or the engine did not find. */
const missingProgram = (text: string): string | undefined =>
  /exec: "([^"]+)": executable file not found/.exec(text)?.[1] ??
  /^(?:\/\S*\/)?(?:ba|da|a|k|z)?sh: (?:(?:line )?\d+: )?(\S+): (?:command )?not found$/m.exec(text)?.[1] ??
  /^env: [‘'"]?([^\s‘'"’:]+)[’'"]?: No such file/m.exec(text)?.[1];

/** What to do about a build that was stopped since its time was up. */
export const timeoutHint = 'Look for a step that never ends, such as one that starts the service or waits for input.';
