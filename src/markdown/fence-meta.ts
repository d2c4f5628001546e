/** What the words after the language of a code fence ask for. */
export interface FenceMeta {
  /** The reader can send the block to the terminal. */
  readonly run: boolean;
  /** The block is meant to end with an error. */
  readonly fails: boolean;
  /** The block is the whole of this file of the lab folder. */
  readonly file: string | undefined;
  /** The block is a part of this file, shown for reading. */
  readonly part: string | undefined;
}

const attribute = (meta: string, name: string): string | undefined =>
  new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(meta)?.[1];

/**
 * Reads the meta string of a fence, e.g. `run fails` or `file="Dockerfile"`.
 * @throws Error when a word is not known, so that a typing mistake cannot silently drop a button or a test.
 */
export function readFenceMeta(meta: string): FenceMeta {
  const words = meta
    .replaceAll(/(?<=^|\s)(?:file|part)="[^"]*"/g, '')
    .split(/\s+/)
    .filter((word) => word !== '');
  const unknown = words.filter((word) => word !== 'run' && word !== 'fails');
  if (unknown.length > 0) throw new Error(`Unknown word in the code fence's meta: ${unknown.join(', ')}`);
  const run = words.includes('run');
  const fails = words.includes('fails');
  if (fails && !run) throw new Error('A code fence that "fails" must also "run".');
  return { run, fails, file: attribute(meta, 'file'), part: attribute(meta, 'part') };
}
