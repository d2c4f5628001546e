import { linkDestination } from './paths.ts';
import type { ImageContents, LayerEntry } from './image-reader.ts';
import type { ParsedLayer } from './layer.ts';

type Merged = ImageContents['merged'];

interface Node {
  found: { readonly entry: LayerEntry; readonly layer: number } | undefined;
  children: Map<string, Node> | undefined;
}

/**
 * The file system as a container sees it: layers laid over one another from the bottom up, with what upper
 * layers delete gone. Folders that no layer names are left out.
 */
export function mergeLayers(layers: readonly Pick<ParsedLayer, 'entries' | 'whiteouts' | 'opaque'>[]): Merged {
  const root: Node = { found: undefined, children: undefined };
  layers.forEach((layer, index) => {
    // A layer's deletions are about the layers below alone, wherever in its tar they stand.
    for (const path of layer.opaque) {
      const node = find(root, path);
      if (node !== undefined) node.children = undefined;
    }
    for (const path of layer.whiteouts) remove(root, path);
    for (const entry of layer.entries) {
      const node = make(root, entry.path);
      node.found = { entry, layer: index };
      if (entry.type !== 'directory') node.children = undefined;
    }
  });
  const merged = new Map<string, { readonly entry: LayerEntry; readonly layer: number }>();
  collect(root, '', merged);
  return merged;
}

/** Symbolic links followed before giving up: as many as Linux follows. */
const maxLinks = 40;

/**
 * Follow the symbolic links in `path`, also those among its folders, inside the image alone.
 * @returns the path of what is there, or undefined when nothing is.
 */
export function resolvePath(merged: Merged, path: string): string | undefined {
  let pending = path.split('/').filter((part) => part !== '');
  let resolved = '';
  let links = 0;
  while (pending.length > 0) {
    const [part = '', ...rest] = pending;
    pending = rest;
    const next = resolved === '' ? part : `${resolved}/${part}`;
    const entry = merged.get(next)?.entry;
    if (entry?.type === 'symlink') {
      links += 1;
      if (links > maxLinks) return undefined;
      pending = [
        ...linkDestination(next, entry.linkTarget ?? '')
          .split('/')
          .filter((name) => name !== ''),
        ...pending,
      ];
      resolved = '';
    } else {
      resolved = next;
    }
  }
  return merged.has(resolved) ? resolved : undefined;
}

/** Text of a file that was kept, found through symbolic and hard links. */
export function mergedText(layers: readonly ParsedLayer[], merged: Merged, path: string): string | undefined {
  const resolved = resolvePath(merged, path);
  const found = resolved === undefined ? undefined : merged.get(resolved);
  if (found === undefined) return undefined;
  const { entry, layer } = found;
  return layers[layer]?.text.get(entry.type === 'hardlink' ? (entry.linkTarget ?? '') : entry.path);
}

function find(root: Node, path: string): Node | undefined {
  let node: Node | undefined = root;
  for (const part of path.split('/')) if (part !== '') node = node?.children?.get(part);
  return node;
}

function make(root: Node, path: string): Node {
  let node = root;
  for (const part of path.split('/')) {
    node.children ??= new Map();
    let child = node.children.get(part);
    if (child === undefined) {
      child = { found: undefined, children: undefined };
      node.children.set(part, child);
    }
    node = child;
  }
  return node;
}

function remove(root: Node, path: string): void {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  find(root, parts.join('/'))?.children?.delete(name);
}

function collect(node: Node, path: string, into: Map<string, NonNullable<Node['found']>>): void {
  if (node.found !== undefined) into.set(path, node.found);
  for (const [name, child] of node.children ?? []) collect(child, path === '' ? name : `${path}/${name}`, into);
}
