import { DockerfileParser } from 'dockerfile-ast';
import { posix } from 'node:path';
import type { CheckContext } from './check-kind.ts';

export interface Stage {
  /** As BuildKit calls it: the name after AS in lower case, else its number. */
  readonly name: string;
  /** What stands after FROM. */
  readonly from: string;
  /** Its RUN instructions, without the keyword. */
  readonly runs: readonly string[];
}

/** The stages of a Dockerfile, in order. Broken lines are passed over: the build is what judges those. */
export function parseStages(text: string): Stage[] {
  const stages: { name: string; from: string; runs: string[] }[] = [];
  const dockerfile = DockerfileParser.parse(text);
  const named = new Map(dockerfile.getFROMs().map((from) => [from.getRange().start.line, from]));
  for (const instruction of dockerfile.getInstructions()) {
    const from = named.get(instruction.getRange().start.line);
    if (from !== undefined) {
      const name = from.getBuildStage()?.toLowerCase() ?? String(stages.length);
      stages.push({ name, from: from.getImage() ?? '', runs: [] });
    } else if (instruction.getKeyword() === 'RUN') {
      stages.at(-1)?.runs.push(instruction.toString().replace(/^\s*RUN\s+/i, ''));
    }
  }
  return stages;
}

const maxDockerfileBytes = 256 * 1024;

/** Text of a file of the lab folder in the sandbox, or null when there is none. `path` is relative and the lab author's. */
export async function readLabFile(context: CheckContext, path: string): Promise<string | null> {
  const file = posix.join(context.labDir, path);
  const result = await context.shell.run(['/usr/bin/cat', '--', file], {
    timeoutMs: 10_000,
    maxOutputBytes: maxDockerfileBytes,
    signal: context.signal,
  });
  return result.exitCode === 0 ? result.stdout : null;
}
