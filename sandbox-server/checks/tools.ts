import { executableClass, isSetuid } from '../images/executables.ts';
import type { LayerEntry } from '../images/image-reader.ts';
import { sizeBelow } from './folder-sizes.ts';

/** Something found in one layer: a program or a folder, with its bytes. */
export interface Found {
  readonly path: string;
  readonly sizeBytes: number;
  /** How to name it, where the path alone does not say it. */
  readonly label?: string;
  /** A short name, where it is not the path. */
  readonly name?: string;
}

/** What image-lacks can look for, and what each is called to the learner. */
export const toolNames = {
  'go-toolchain': 'the Go toolchain',
  shell: 'a shell',
  'package-manager': 'a package manager',
  compiler: 'a compiler',
  interpreter: 'an interpreter',
  'network-tool': 'a network tool',
  setuid: 'a setuid program',
} as const;
export type Tool = keyof typeof toolNames;
export const tools = Object.keys(toolNames) as [Tool, ...Tool[]];

/** Look for one tool among the entries of one layer, by what is there and not by what packages claim. */
export function findTool(tool: Tool, entries: readonly LayerEntry[]): Found[] {
  if (tool === 'go-toolchain') return findGo(entries);
  return entries
    .filter((entry) => (tool === 'setuid' ? isSetuid(entry) : executableClass(entry) === tool))
    .map(({ path, sizeBytes }) => ({ path, sizeBytes }));
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
