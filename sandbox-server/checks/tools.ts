import { posix } from 'node:path';
import type { LayerEntry } from '../images/image-reader.ts';
import { sizeBelow } from './folder-sizes.ts';

/** Something found in one layer: a program or a folder, with its bytes. */
export interface Found {
  readonly path: string;
  readonly sizeBytes: number;
}

/** What image-lacks can look for, and what each is called to the learner. */
export const toolNames = {
  'go-toolchain': 'the Go toolchain',
  shell: 'a shell',
  'package-manager': 'a package manager',
  compiler: 'a compiler',
  downloader: 'a download tool',
} as const;
export type Tool = keyof typeof toolNames;
export const tools = Object.keys(toolNames) as [Tool, ...Tool[]];

const programs: Readonly<Record<Exclude<Tool, 'go-toolchain'>, RegExp>> = {
  shell: /^(sh|bash|rbash|dash|ash|zsh|ksh|mksh|fish|busybox|toybox)$/,
  'package-manager': /^(apt|apt-get|dpkg|apk|dnf|microdnf|yum|rpm|zypper|pacman)$/,
  compiler: /^(.+-)?(gcc|g\+\+|cc1|clang|clang\+\+|tcc|rustc)(-\d+(\.\d+)*)?$|^(cc|c\+\+|as|ld)$/,
  downloader: /^(curl|wget|nc|ncat|socat)$/,
};

/** Look for one tool among the entries of one layer, by what is there and not by what packages claim. */
export function findTool(tool: Tool, entries: readonly LayerEntry[]): Found[] {
  if (tool === 'go-toolchain') return findGo(entries);
  const pattern = programs[tool];
  return entries
    .filter((entry) => isProgram(entry) && pattern.test(posix.basename(entry.path)))
    .map(({ path, sizeBytes }) => ({ path, sizeBytes }));
}

/** A link counts: it is a way to call the program, wherever that lies. */
function isProgram(entry: LayerEntry): boolean {
  if (entry.type === 'symlink' || entry.type === 'hardlink') return /(^|\/)s?bin\/[^/]+$/.test(entry.path);
  return entry.type === 'file' && (entry.mode & 0o111) !== 0;
}

/** The compiler that `go build` runs tells a toolchain, wherever it was put; the folder above is reported whole. */
function findGo(entries: readonly LayerEntry[]): Found[] {
  const roots = new Set<string>();
  for (const { path, type } of entries) {
    if (type === 'directory') continue;
    const tool = /^(.+)\/pkg\/tool\/[^/]+\/(compile|link|asm)$/.exec(path);
    if (tool?.[1] !== undefined) roots.add(tool[1]);
    const command = /^(.*\bgo[^/]*)\/bin\/go$/.exec(path);
    if (command?.[1] !== undefined) roots.add(command[1]);
  }
  return [...roots].map((path) => ({ path, sizeBytes: sizeBelow(entries, path) }));
}
