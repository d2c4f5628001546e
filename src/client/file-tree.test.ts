import { describe, expect, it } from 'vitest';
import type { FileEntry } from '../../sandbox-server/protocol/index.ts';
import { pathProblem, treeRows } from './file-tree.ts';

const entry = (path: string, kind: FileEntry['kind'] = 'file'): FileEntry => ({
  path,
  kind,
  sizeBytes: 1,
  modifiedAt: '2026-11-20T10:00:00Z',
});

describe('treeRows', () => {
  const files = [entry('main.go'), entry('Dockerfile'), entry('internal', 'directory'), entry('internal/a/b.go')];

  it('lists folders first and hides what is below closed ones', () => {
    expect(treeRows(files, new Set()).map((row) => row.path)).toEqual(['internal', 'Dockerfile', 'main.go']);
  });

  it('opens folders, also those only implied by a path', () => {
    const rows = treeRows(files, new Set(['internal', 'internal/a']));
    expect(rows.map((row) => [row.name, row.level, row.expanded])).toEqual([
      ['internal', 1, true],
      ['a', 2, true],
      ['b.go', 3, undefined],
      ['Dockerfile', 1, undefined],
      ['main.go', 1, undefined],
    ]);
  });
});

describe('pathProblem', () => {
  it.each(['', '/etc/passwd', 'a/', '../up', 'a//b', './a', 'main.go'])('refuses %j', (path) => {
    expect(pathProblem(path, [entry('main.go')])).toBeTypeOf('string');
  });

  it('takes a path in a new folder', () => {
    expect(pathProblem('cmd/greeter/main.go', [entry('main.go')])).toBeUndefined();
  });
});
