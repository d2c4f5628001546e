import { posix } from 'node:path';
import { executableClass } from '../images/executables.ts';
import type { ImageContents, LayerEntry } from '../images/image-reader.ts';
import { resolvePath } from '../images/merged-view.ts';

type Image = Pick<ImageContents, 'config' | 'merged'>;

/** Why it can't be told what a container runs, and what to do about it. */
export interface Unknown {
  readonly problem: string;
  readonly hint: string;
}

/** A program at a path or, without a slash, where PATH finds it; links followed as a container follows them. */
export function findProgram({ config, merged }: Image, name: string): LayerEntry | undefined {
  const folders = name.includes('/') ? [config.workingDir] : searchPath(config.env);
  for (const folder of folders) {
    const resolved = resolvePath(merged, posix.resolve('/', folder, name));
    const entry = resolved === undefined ? undefined : merged.get(resolved)?.entry;
    if (entry?.type === 'hardlink') return findProgram({ config, merged }, `/${entry.linkTarget ?? ''}`);
    if (entry?.type === 'file') return entry;
  }
  return undefined;
}

/**
 * The programs that a container of an image runs: the one that it starts and, where that is a shell or starts what its
 * arguments name, that one as well, and so on.
 */
export function startedPrograms(image: Image): readonly LayerEntry[] | Unknown {
  const argv = [...image.config.entrypoint, ...image.config.cmd];
  if (argv.length === 0)
    return { problem: 'The image says nothing about what to run.', hint: 'Set ENTRYPOINT in the last stage.' };
  return follow(image, argv);
}

const execForm = 'Start the compiled program itself, in exec form: ENTRYPOINT ["/path"].';

function follow(image: Image, argv: readonly string[]): readonly LayerEntry[] | Unknown {
  const [name = '', ...rest] = argv;
  const entry = findProgram(image, name);
  if (entry === undefined) return missing(name);
  // "busybox sh" is sh.
  const isMulti = multiCall.test(posix.basename(name)) && rest[0] !== undefined;
  const [called = '', ...args] = isMulti ? rest : argv;
  const inner = isShell(entry, called) ? shellLine(called, args) : startedBy(image, posix.basename(called), args);
  if ('problem' in inner) {
    // A shell that can't be judged by what it runs may fail by what it is.
    return entry.elf?.linkage === 'static' ? inner : [entry];
  }
  if (inner.length === 0) return [entry];
  const followed = follow(image, inner);
  return 'problem' in followed ? followed : [entry, ...followed];
}

const missing = (name: string): Unknown => ({
  problem: `There is no ${name} in the image.`,
  hint: 'Compare ENTRYPOINT with where COPY --from puts the program.',
});

const multiCall = /^(busybox|toybox)$/;
const shells = /^(sh|bash|rbash|dash|ash|zsh|ksh|mksh|fish)$/;

/** By what it is called, or by what it is: busybox called "wget" is no shell. */
const isShell = (entry: LayerEntry, called: string): boolean =>
  shells.test(posix.basename(called)) ||
  (executableClass(entry) === 'shell' && !multiCall.test(posix.basename(entry.path)));

/** What a shell is told to run: one program with its arguments, or nothing that can be told. */
function shellLine(shell: string, args: readonly string[]): readonly string[] | Unknown {
  const at = args.findIndex((arg) => /^-[a-z]*c$/.test(arg));
  const line = at < 0 ? args.find((arg) => !arg.startsWith('-')) : args[at + 1];
  if (line === undefined) return { problem: `It starts the shell ${shell}.`, hint: execForm };
  if (at < 0) return { problem: `It starts ${line} with the shell ${shell}.`, hint: execForm };
  const words = line.trim().split(/\s+/);
  while (words[0] === 'exec' || /^(?!PATH=)\w+=/.test(words[0] ?? '')) words.shift();
  if ((words[0] ?? '') === '' || /["'$`;&|<>(){}\n*?[\]~#!\\]|\bPATH=/.test(line)) {
    return {
      problem: `It starts a shell, and what that runs cannot be told from ${JSON.stringify(line)}.`,
      hint: execForm,
    };
  }
  return words;
}

/** Programs that start others, by name: there a word without a slash may name a program. */
const launchers =
  /^(env|exec|tini|tini-static|dumb-init|catatonit|su-exec|gosu|setpriv|nice|nohup|timeout|xargs|chroot)$/;

/** The arguments from the first on that names a program of the image; none where none does. */
function startedBy(image: Image, called: string, args: readonly string[]): readonly string[] {
  const isLauncher = launchers.test(called);
  const at = args.findIndex((arg) => (isLauncher || arg.includes('/')) && isStartable(findProgram(image, arg)));
  return at < 0 ? [] : args.slice(at);
}

const isStartable = (entry: LayerEntry | undefined): boolean =>
  entry !== undefined && (entry.elf !== undefined || (entry.mode & 0o111) !== 0);

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const searchPath = (env: readonly string[]): string[] =>
  (env.find((line) => line.startsWith('PATH='))?.slice('PATH='.length) ?? defaultPath).split(':');
