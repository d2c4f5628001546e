import { readFenceMeta } from './fence-meta.ts';

/**
 * What a learner does in a lesson, as far as a program can follow: begin a step, run something, or bring a file to this
 * state.
 */
export type LessonBlock =
  | { readonly kind: 'step'; readonly line: number; readonly title: string }
  | { readonly kind: 'run'; readonly line: number; readonly code: string; readonly fails: boolean }
  | { readonly kind: 'file'; readonly line: number; readonly code: string; readonly file: string };

/**
 * The steps of a lesson with their run and file blocks, in the order in which a reader meets them. Run them so in a
 * fresh sandbox and every claim of the lesson about what works and what fails has been tried.
 * @param source The MDX of the lesson.
 * @returns The blocks; `line` counts from 1, `code` ends in a line feed, `title` is the text of a heading.
 * @throws Error when a fence is not closed or its meta is not known.
 */
export function readLessonBlocks(source: string): readonly LessonBlock[] {
  const blocks: LessonBlock[] = [];
  let open: { fence: string; meta: string; line: number; code: string[] } | undefined;
  for (const [index, text] of source.split('\n').entries()) {
    if (open === undefined) {
      const start = /^(`{3,})\w+(.*)$/.exec(text);
      if (start !== null) open = { fence: start[1] ?? '', meta: start[2] ?? '', line: index + 1, code: [] };
      // The title as the page has it, where code in it has lost its backticks.
      const title = /^## (.+)$/.exec(text)?.[1]?.replaceAll('`', '');
      if (title !== undefined) blocks.push({ kind: 'step', line: index + 1, title });
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

/**
 * The last command of a block, with its continued lines and here-documents, and all that comes before it. It knows as
 * much of a shell's grammar as lessons need: a loop that spans lines would be torn, which the shell then says.
 */
export function splitLastCommand(code: string): { readonly before: string; readonly last: string } {
  const lines = code.split('\n');
  let begin = 0;
  let continued = false;
  let documents: string[] = [];
  for (const [index, line] of lines.entries()) {
    if (documents.length > 0) {
      if (line === documents[0]) documents.shift();
      continue;
    }
    if (!continued && !/^\s*(#|$)/.test(line)) begin = index;
    continued = line.endsWith('\\');
    documents = [...line.matchAll(/(?<!<)<<(?!<)\s*(['"]?)(\w+)\1/g)].map(([, , word = '']) => word);
  }
  const text = (part: readonly string[]): string => part.map((line) => `${line}\n`).join('');
  const end = lines.at(-1) === '' ? -1 : lines.length;
  return { before: text(lines.slice(0, begin)), last: text(lines.slice(begin, end)) };
}
