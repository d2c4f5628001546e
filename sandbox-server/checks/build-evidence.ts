import { DockerfileParser } from 'dockerfile-ast';
import { posix } from 'node:path';
import type { BuildEvidence, BuildFailure } from './build-log.ts';
import { ignoringLine } from './dockerignore.ts';
import type { SandboxShell } from './sandbox-shell.ts';

interface Request {
  readonly context: string;
  readonly dockerfile: string;
  readonly signal: AbortSignal;
}

/** Look up what the files of a build say of its failure. Whatever can't be read says nothing. */
export async function readEvidence(
  shell: SandboxShell,
  { context, dockerfile, signal }: Request,
  failure: BuildFailure,
): Promise<BuildEvidence> {
  const read = async (path: string): Promise<string> => {
    const options = { timeoutMs: 10_000, maxOutputBytes: 256 * 1024, signal };
    const { exitCode, truncated, stdout } = await shell.run(['/usr/bin/cat', '--', posix.join(context, path)], options);
    return exitCode === 0 && !truncated ? stdout : '';
  };
  const missing = missingSource(failure);
  const ignore =
    missing === undefined ? '' : (await read(`${dockerfile}.dockerignore`)) || (await read('.dockerignore'));
  const ignoredBy = missing === undefined ? undefined : ignoringLine(ignore, missing);
  const settings = failure.line > 0 ? settingsAt(await read(dockerfile), failure.line) : {};
  return { ...settings, ...(ignoredBy === undefined ? {} : { ignoredBy }) };
}

/**
 * The path that a COPY did not find, without a leading slash, in the build context or the stage that it takes from; the
 * folder, where that is what is missing already. BuildKit names the path, or where it had mounted it.
 */
export const missingSource = ({ error }: BuildFailure): string | undefined =>
  /"\/?([^"]*)": not found$/.exec(error.trim())?.[1] ??
  /buildkit-mount\d+\/([^:]+): no such file or directory$/.exec(error.trim())?.[1];

/** What USER and WORKDIR said last above a line, in its stage and those that it is built on; lines count from 1. */
export function settingsAt(dockerfile: string, line: number): Pick<BuildEvidence, 'user' | 'workdir'> {
  const parsed = DockerfileParser.parse(dockerfile);
  const stages = new Map<string, { user?: string; workdir?: string }>();
  const froms = new Map(parsed.getFROMs().map((from) => [from.getRange().start.line, from]));
  let current: { user?: string; workdir?: string } = {};
  for (const instruction of parsed.getInstructions()) {
    const at = instruction.getRange().start.line;
    if (at >= line) break;
    const from = froms.get(at);
    const value = instruction.getArgumentsContent() ?? '';
    if (from !== undefined) {
      current = { ...stages.get(from.getImage()?.toLowerCase() ?? '') };
      stages.set(from.getBuildStage()?.toLowerCase() ?? String(stages.size), current);
    } else if (instruction.getKeyword() === 'USER') {
      current.user = value;
    } else if (instruction.getKeyword() === 'WORKDIR') {
      current.workdir = posix.resolve('/', current.workdir ?? '', value);
    }
  }
  return current;
}
