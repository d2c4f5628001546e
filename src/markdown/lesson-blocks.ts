import { readFenceMeta } from './fence-meta.ts';

/** What a learner does in a lesson, as far as a program can follow: run something, or bring a file to this state. */
export type LessonBlock =
  | { readonly kind: 'run'; readonly line: number; readonly code: string; readonly fails: boolean }
  | { readonly kind: 'file'; readonly line: number; readonly code: string; readonly file: string };

/**
 * The run and file blocks of a lesson, in the order in which a reader meets them. Run them so in a fresh sandbox and
 * every claim of the lesson about what works and what fails has been tried.
 * @param source The MDX of the lesson.
 * @returns The blocks; `line` counts from 1, `code` ends in a line feed.
 * @throws Error when a fence is not closed or its meta is not known.
 */
export function readLessonBlocks(source: string): readonly LessonBlock[] {
  const blocks: LessonBlock[] = [];
  let open: { fence: string; meta: string; line: number; code: string[] } | undefined;
  for (const [index, text] of source.split('\n').entries()) {
    if (open === undefined) {
      const start = /^(`{3,})\w+(.*)$/.exec(text);
      if (start !== null) open = { fence: start[1] ?? '', meta: start[2] ?? '', line: index + 1, code: [] };
      continue;
    }
    if (text !== open.fence) {
      open.code.push(text);
      continue;
    }
    const { run, fails, file } = readFenceMeta(open.meta);
    const code = `${open.code.join('\n')}\n`;
    if (run) blocks.push({ kind: 'run', line: open.line, code, fails });
    else if (file !== undefined) blocks.push({ kind: 'file', line: open.line, code, file });
    open = undefined;
  }
  if (open !== undefined) throw new Error(`The code fence of line ${String(open.line)} is not closed.`);
  return blocks;
}
