import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { CheckContext, Verdict } from './check-kind.ts';
import { readLabFile, stageText } from './dockerfile.ts';

interface BuildInputs {
  /** Build context, relative to the lab folder. */
  readonly folder: string;
  /** Relative to the context. */
  readonly dockerfile: string;
  /** Stage that is built; the last one when left out. */
  readonly target: string | undefined;
}

/**
 * All that a build step may see of the context, and the images that it begins from. The Dockerfile is hashed apart:
 * where .dockerignore keeps it from the steps, a change to a stage that is not built changes nothing for them.
 */
const script = `
set -o pipefail
cd -- "$1" || exit 1
file=$2
shift 2
/usr/bin/tar --create --sort=name --numeric-owner --mtime=@0 --exclude="./$file" . | /usr/bin/sha256sum || exit 1
if [ -e "$file.dockerignore" ] || ! [ -e .dockerignore ] || /usr/bin/grep -q '^!' .dockerignore ||
  ! /usr/bin/grep -Fqx -e "$file" -e "/$file" -e "./$file" .dockerignore
then /usr/bin/sha256sum < "$file" || exit 1
fi
for image; do /usr/bin/docker image inspect --format '{{.Id}}' -- "$image" || exit 1; done
`;

/** Of one sandbox: someone who goes back and forth between two versions is served well by this. */
const mostRemembered = 100;

/** A fingerprint of all that decides how the build of a stage ends; undefined where that cannot be told. */
async function fingerprint(context: CheckContext, inputs: BuildInputs): Promise<string | undefined> {
  const { folder, dockerfile, target } = inputs;
  const text = await readLabFile(context, posix.join(folder, dockerfile));
  const stage = text === null ? undefined : stageText(text, target);
  if (stage === undefined) return undefined;
  const argv = ['/bin/bash', '-c', script, 'bash', posix.join(context.labDir, folder), dockerfile, ...stage.images];
  const answer = await context.shell.run(argv, { timeoutMs: 20_000, signal: context.signal });
  return answer.exitCode === 0 ? JSON.stringify([stage, answer.stdout]) : undefined;
}

/**
 * In a live session: the verdict of an earlier run, where it passed and nothing that the build of the stage sees has
 * changed since: its instructions and those of the stages it takes from, the files, the base images. In the clean room,
 * and where it cannot be told, it is judged anew. A failure is judged anew each time.
 * @param what the check and its parameters: whatever else the verdict depends on
 */
export async function whileUnchanged(
  context: CheckContext,
  what: readonly unknown[],
  inputs: BuildInputs,
  judge: () => Promise<Verdict>,
): Promise<Verdict> {
  const { remembered } = context;
  if (context.mode !== 'live' || remembered === undefined) return judge();
  const before = await fingerprint(context, inputs);
  if (before === undefined) return judge();
  const key = createHash('sha256').update(JSON.stringify(what)).update('\0').update(before).digest('hex');
  const known = remembered.get(key);
  if (known !== undefined) return { ...known, actual: `${known.actual} Nothing that it depends on has changed since.` };
  const verdict = await judge();
  // Files that were saved while it was judged may or may not have been seen.
  if (verdict.status === 'pass' && (await fingerprint(context, inputs)) === before) {
    if (remembered.size >= mostRemembered) remembered.clear();
    remembered.set(key, verdict);
  }
  return verdict;
}
