import { describe, expect, it } from 'vitest';
import type { LayerEntry } from './image-reader.ts';
import { mergeLayers, resolvePath } from './merged-view.ts';

const entry = (path: string, type: LayerEntry['type'] = 'file', linkTarget?: string): LayerEntry => ({
  path,
  type,
  sizeBytes: 1,
  mode: 0o644,
  uid: 0,
  gid: 0,
  ...(linkTarget === undefined ? {} : { linkTarget }),
});
const layer = (entries: LayerEntry[], whiteouts: string[] = [], opaque: string[] = []) => ({
  entries,
  whiteouts,
  opaque,
});

describe('mergeLayers', () => {
  it('lets upper layers win', () => {
    const merged = mergeLayers([layer([entry('a'), entry('b')]), layer([entry('b')])]);
    expect([...merged].map(([path, { layer: index }]) => [path, index])).toEqual([
      ['a', 0],
      ['b', 1],
    ]);
  });

  it('takes away what a later layer deletes, with all that is below it', () => {
    const merged = mergeLayers([layer([entry('src/a'), entry('src/b/c'), entry('srcs')]), layer([], ['src'])]);
    expect([...merged.keys()]).toEqual(['srcs']);
  });

  it('hides what is below an opaque folder, but not what the same layer puts there', () => {
    const merged = mergeLayers([layer([entry('d/old'), entry('e')]), layer([entry('d/new')], [], ['d'])]);
    expect([...merged.keys()].sort()).toEqual(['d/new', 'e']);
  });

  it('applies deletions to the layers below alone', () => {
    const merged = mergeLayers([layer([entry('a')], ['a'])]);
    expect(merged.has('a')).toBe(true);
  });

  it('tells a folder from one whose name only begins like it', () => {
    const below = layer(['a', 'a-b', 'a-b/c', 'a.b', 'a/b', 'a0', 'ab/c'].map((path) => entry(path)));
    const empties = (path: string): string[] => [...mergeLayers([below, layer([], [], [path])]).keys()];
    expect(empties('a')).toEqual(['a', 'a-b', 'a-b/c', 'a.b', 'a0', 'ab/c']);
    expect(empties('')).toEqual([]);
    expect([...mergeLayers([below, layer([entry('a')])]).keys()]).not.toContain('a/b');
    expect([...mergeLayers([below, layer([], ['a']), layer([entry('a/b')])]).keys()]).toContain('a/b');
  });

  it('keeps what the same layer puts into a folder that it deletes, or that a file stood for before', () => {
    const layers = [layer([entry('d/old')]), layer([entry('d/new'), entry('f'), entry('f/x')], ['d'])];
    expect([...mergeLayers(layers).keys()].sort()).toEqual(['d/new', 'f', 'f/x']);
  });

  it('takes no memory for folders that nothing names', () => {
    const entries = Array.from({ length: 4000 }, (_, index) => entry(`${String(index)}${'/x'.repeat(250)}`));
    // Flat strings, as they come out of an archive.
    for (const { path } of entries) path.charCodeAt(0);
    const before = process.memoryUsage().heapUsed;
    expect(mergeLayers([layer(entries)]).size).toBe(4000);
    // A million folders: at a hundred bytes for each, more than this.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(80 * 1024 ** 2);
  });

  it('drops the contents of a folder that becomes a file', () => {
    const merged = mergeLayers([layer([entry('d', 'directory'), entry('d/x')]), layer([entry('d')])]);
    expect([...merged.keys()]).toEqual(['d']);
  });
});

describe('resolvePath', () => {
  const merged = mergeLayers([
    layer([
      entry('usr/bin/dash'),
      entry('usr/bin/sh', 'symlink', 'dash'),
      entry('bin', 'symlink', 'usr/bin'),
      entry('up', 'symlink', '../../../usr/bin/dash'),
      entry('loop', 'symlink', 'loop'),
      entry('dangling', 'symlink', '/nowhere'),
    ]),
  ]);

  it.each([
    ['bin/sh', 'usr/bin/dash'],
    ['up', 'usr/bin/dash'],
    ['usr/bin/dash', 'usr/bin/dash'],
    ['loop', undefined],
    ['dangling', undefined],
    ['missing', undefined],
  ])('%s leads to %s', (path, destination) => {
    expect(resolvePath(merged, path)).toBe(destination);
  });
});
