import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { BallastError } from '../protocol/index.ts';
import type { CheckContext } from './check-kind.ts';
import { readLabFile } from './dockerfile.ts';
import { lookInFairTime } from './fair-share.ts';
import { ask } from './http-probe.ts';
import type { Answer } from './http-probe.ts';
import { withProbeContainer } from './probe-container.ts';
import type { ProbeContainer } from './probe-container.ts';
import type { OwedProof, SourceProof } from './source-proof-schema.ts';
import { withTemporaryCopy } from './temporary-copy.ts';

const pollMs = 200;

/**
 * Have a copy of the build context in which the source file holds code that answers with a word drawn anew: what is
 * built from it is what is judged, so that a build that tells the two apart gains nothing. The files themselves stay
 * as they were handed in.
 * @param use gets the folder of the copy and the word
 * @throws BallastError lab_invalid when the file does not hold the text that is to be replaced
 */
export async function withMarkedCopy<Result>(
  { file, replace, by }: SourceProof,
  folder: string,
  context: CheckContext,
  use: (dir: string, word: string) => Promise<Result>,
): Promise<Result> {
  const [first, second] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
  const text = await readLabFile(context, posix.join(folder, file));
  if (text?.includes(replace) !== true) {
    throw new BallastError('lab_invalid', { message: `${file} does not hold the text that the lab replaces in it.` });
  }
  const marked = text.replace(replace, () => by.replaceAll('{{first}}', first).replaceAll('{{second}}', second));
  return withTemporaryCopy(context, posix.join(context.labDir, folder), async (copy) => {
    await copy.write(file, marked);
    return use(copy.dir, `${first}-${second}`);
  });
}

/**
 * Ask a container of the image built from a marked copy for its word. One that gives no answer owes the proof: whichever
 * check gets the first answer of that image asks for it, see `judgeOwedProof`.
 * @returns what is wrong, "owed" or "proven"
 */
export async function judgeMarked(
  image: string,
  owed: OwedProof,
  context: CheckContext,
): Promise<'proven' | 'owed' | { readonly actual: string; readonly hint: string }> {
  const { port, path, readyWithin } = owed.proof;
  const answer = await withProbeContainer(context, { image, port }, async (start) => {
    if (!start.started) return undefined;
    const { container } = start;
    const found = await lookInFairTime(context, { limitMs: readyWithin, pollMs }, async () => {
      const heard = await ask(container.port, path, context);
      return heard ?? ((await container.state()).status === 'exited' ? 'ended' : undefined);
    });
    return found === 'ended' ? undefined : found;
  });
  if (answer === undefined) {
    if (context.owedProofs === undefined) return notCompiled(owed.proof);
    context.owedProofs.set(image, owed);
    return 'owed';
  }
  return holds(answer, owed.word) ? 'proven' : notCompiled(owed.proof);
}

/**
 * What is wrong with an image that was silent when it was to prove where it comes from, and now gives answers.
 * @param container a container of it that answers on the port that it serves
 */
export async function judgeOwedProof(
  image: string,
  container: Pick<ProbeContainer, 'port'>,
  context: CheckContext,
): Promise<{ readonly actual: string; readonly hint: string } | undefined> {
  const owed = context.owedProofs?.get(image);
  if (owed === undefined) return undefined;
  const answer = await ask(container.port, owed.proof.path, context);
  // It stays owed: an answer once held back can be held back again.
  return answer !== undefined && holds(answer, owed.word) ? undefined : notCompiled(owed.proof);
}

const holds = ({ headers, body }: Answer, word: string): boolean =>
  body.includes(word) || [...headers.values()].some((value) => value.includes(word));

const notCompiled = ({ file }: SourceProof): { actual: string; hint: string } => ({
  actual: `What the image runs is not compiled from your files: it was built from a copy in which ${file} answers with a word of its own, and the service does not answer with it.`,
  hint: `Let the Dockerfile compile the service from the files of the lab, ${file} among them.`,
});
