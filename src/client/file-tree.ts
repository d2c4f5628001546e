import type { FileEntry } from '../../sandbox-server/protocol/index.ts';

/** One line of the file tree as it is drawn. */
export interface TreeRow {
  readonly path: string;
  readonly name: string;
  readonly kind: FileEntry['kind'];
  /** 1 at the top, as aria-level counts. */
  readonly level: number;
  /** Undefined for what cannot be opened up. */
  readonly expanded: boolean | undefined;
}

/** The visible lines of the tree: folders first, then files, each by name; below a folder only if it is expanded. */
export function treeRows(files: readonly FileEntry[], expanded: ReadonlySet<string>): readonly TreeRow[] {
  const children = new Map<string, FileEntry[]>();
  for (const file of withFolders(files)) {
    const siblings = children.get(parentOf(file.path)) ?? [];
    siblings.push(file);
    children.set(parentOf(file.path), siblings);
  }
  const below = (folder: string, level: number): TreeRow[] =>
    (children.get(folder) ?? []).toSorted(byKindAndName).flatMap((file) => {
      const open = file.kind === 'directory' ? expanded.has(file.path) : undefined;
      const row: TreeRow = { path: file.path, name: nameOf(file.path), kind: file.kind, level, expanded: open };
      return open === true ? [row, ...below(file.path, level + 1)] : [row];
    });
  return below('', 1);
}

/** Folder part of a path, "" at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Why `path` cannot be the name of a new file, in words; undefined when it can. */
export function pathProblem(path: string, files: readonly FileEntry[]): string | undefined {
  if (path === '') return 'Give it a name.';
  if (path.startsWith('/') || path.endsWith('/')) return 'Use a path inside the lab folder, such as cmd/main.go.';
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    return 'Leave out empty parts, "." and "..".';
  }
  if (files.some((file) => file.path === path)) return 'There is one of that name already.';
  return undefined;
}

/** Adds the folders that are only implied by the paths of files. */
function withFolders(files: readonly FileEntry[]): readonly FileEntry[] {
  const all = new Map(files.map((file) => [file.path, file]));
  for (const file of files) {
    for (let path = parentOf(file.path); path !== '' && !all.has(path); path = parentOf(path)) {
      all.set(path, { path, kind: 'directory', sizeBytes: 0, modifiedAt: file.modifiedAt });
    }
  }
  return [...all.values()];
}

function byKindAndName(a: FileEntry, b: FileEntry): number {
  const folders = Number(b.kind === 'directory') - Number(a.kind === 'directory');
  return folders !== 0 ? folders : nameOf(a.path).localeCompare(nameOf(b.path), 'en', { numeric: true });
}
