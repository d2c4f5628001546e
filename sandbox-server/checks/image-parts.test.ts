import { describe, expect, it } from 'vitest';
import type { LayerEntry } from '../images/image-reader.ts';
import { heaviestFolder, shortInstruction, sizeBelow } from './folder-sizes.ts';
import { compileGlob } from './glob.ts';
import { resolveUser } from './image-user.ts';
import { findTool } from './tools.ts';

const file = (path: string, sizeBytes = 10, mode = 0o755): LayerEntry => ({
  path,
  type: 'file',
  sizeBytes,
  mode,
  uid: 0,
  gid: 0,
});
const link = (path: string): LayerEntry => ({ ...file(path, 0), type: 'symlink', linkTarget: 'x' });

describe('compileGlob', () => {
  it.each([
    ['**/*.go', 'main.go', true],
    ['**/*.go', 'src/a/b.go', true],
    ['**/*.go', 'src/.hidden/.b.go', true],
    ['**/*.go', 'src/b.gox', false],
    ['src/*', 'src/a/b', false],
    ['src/**', 'src/a/b', true],
    ['**/{go.mod,go.sum}', 'x/go.sum', true],
    ['a?c', 'abc', true],
    ['a.c', 'abc', false],
    ['**/.git/**', 'app/.git/config', true],
  ])('%s on %s: %s', (pattern, path, matches) => {
    expect(compileGlob(pattern).test(path)).toBe(matches);
  });
});

describe('heaviestFolder', () => {
  it('goes as deep as one folder holds most', () => {
    const entries = [
      file('usr/local/go/pkg/a', 400),
      file('usr/local/go/bin/go', 500),
      file('usr/bin/sh', 10),
      file('etc/x', 1),
    ];
    expect(heaviestFolder(entries)).toEqual({ path: 'usr/local/go', sizeBytes: 900 });
  });

  it('names nothing where nothing dominates', () => {
    expect(heaviestFolder([file('a/x', 5), file('b/x', 5)])).toBeUndefined();
    expect(heaviestFolder([])).toBeUndefined();
  });

  it('counts what is below a path, and not what merely begins like it', () => {
    expect(sizeBelow([file('go/a', 1), file('gopher', 2), file('go', 4)], 'go')).toBe(5);
  });
});

it.each([
  ['RUN /bin/sh -c go build . # buildkit', 'RUN go build .'],
  ['/bin/sh -c #(nop)  USER app', 'USER app'],
  ['COPY /a /b # buildkit', 'COPY /a /b'],
  ['RUN |2 TOKEN=s3cr3t A=b c /bin/sh -c rm /x # buildkit', 'RUN rm /x'],
  ['|1 TOKEN=s3cr3t /bin/sh -c rm /x', 'RUN rm /x'],
  ['RUN |1 TOKEN=s3cr3t /bin/bash -c rm /x # buildkit', 'RUN /bin/bash -c rm /x'],
  ['', 'the base image'],
])('writes %j as the Dockerfile has it', (createdBy, text) => {
  expect(shortInstruction(createdBy)).toBe(text);
});

describe('resolveUser', () => {
  const passwd = 'root:x:0:0::/:/bin/sh\nnonroot:x:65532:65532::/:/x\ntoor:x:0:0::/:/x\nbroken\n1000:x:0:0::/:/x\n';
  it.each([
    ['', { found: true, uid: 0, name: 'root' }],
    ['0', { found: true, uid: 0, name: 'root' }],
    ['00:5', { found: true, uid: 0, name: 'root' }],
    ['root', { found: true, uid: 0, name: 'root' }],
    ['toor', { found: true, uid: 0, name: 'toor' }],
    ['nonroot:nonroot', { found: true, uid: 65532, name: 'nonroot' }],
    ['65532', { found: true, uid: 65532, name: 'nonroot' }],
    ['1000', { found: true, uid: 1000, name: '' }],
    ['ghost', { found: false, name: 'ghost' }],
  ])('%j', (user, expected) => {
    expect(resolveUser(user, passwd)).toEqual(expected);
  });

  it('finds no name where there is no passwd file', () => {
    expect(resolveUser('app', undefined)).toEqual({ found: false, name: 'app' });
    expect(resolveUser('app:x', '')).toEqual({ found: false, name: 'app' });
    expect(resolveUser('1000', undefined)).toEqual({ found: true, uid: 1000, name: '' });
  });

  // What the container runtime makes of files that are not as they should be.
  it.each([
    ['the first of two lines', 'app:x:5:5::/:/x\napp:x:0:0::/:/x\n', 5],
    ['a name alone', 'app\napp:x:1000:1000::/:/x\n', 0],
    ['no field for the number', 'app:x\napp:x:1000:1000::/:/x\n', 0],
    ['an empty number', 'app:x::\n', 0],
    ['a number that is none', 'app:x:1000x:0\n', 0],
    ['a number in hexadecimal', 'app:x:0x3e8:0\n', 0],
    ['a number with a space', 'app:x: 1000:0\n', 0],
    ['a number with a sign', 'app:x:+1000:0\n', 1000],
    ['white space around the line', ' \t app:x:0:0::/:/x \r\n', 0],
    ['white space of other alphabets', '\u00a0\u2003app:x:0:0\n', 0],
    ['white space that ends the line', 'app:x:1000 \n', 1000],
    ['a comment sign, which is part of the name', '#app:x:5:5\napp:x:6:6\n', 6],
    ['a number that wraps around to 0', 'app:x:4294967296:0\n', 0],
    ['a number past all', 'app:x:99999999999999999999:0\n', 2 ** 32 - 1],
    ['a byte order mark, which is part of the name', '\ufeffapp:x:0:0\napp:x:7:7\n', 7],
  ])('reads %s', (_, passwd, uid) => {
    expect(resolveUser('app', passwd)).toEqual({ found: true, uid, name: 'app' });
  });

  it.each([
    ['+0', { found: true, uid: 0, name: 'zero' }],
    ['4294967296', { found: true, uid: 0, name: 'wrapped' }],
    ['0x10', { found: true, uid: 0, name: '0x10' }],
    ['99999999999999999999', { found: true, uid: 0, name: '99999999999999999999' }],
    ['2147483647', { found: true, uid: 2147483647, name: '' }],
    ['2147483648', { found: false, name: '2147483648' }],
    ['-1', { found: false, name: '-1' }],
    [' 5', { found: false, name: ' 5' }],
    [':5', { found: true, uid: 0, name: 'root' }],
  ])('takes USER %j for a number or for a name', (user, expected) => {
    const passwd = 'zero:x:0:0\nwrapped:x:4294967296:0\n0x10:x:0:0\n99999999999999999999:x:0:0\n 5:x:0:0\n';
    expect(resolveUser(user, passwd)).toEqual(expected);
  });
});

describe('findTool', () => {
  it.each([
    [
      'upstream',
      ['usr/local/go/bin/go', 'usr/local/go/pkg/tool/linux_amd64/compile', 'usr/local/go/src/x.go'],
      ['usr/local/go'],
    ],
    ['Debian', ['usr/lib/go-1.24/pkg/tool/linux_amd64/compile', 'usr/share/go-1.24/src/x.go'], ['usr/lib/go-1.24']],
    ['moved', ['opt/x/pkg/tool/linux_arm64/link'], ['opt/x']],
    ['a program called go-away', ['usr/bin/go-away'], []],
  ])('tells the Go toolchain of %s', (_, paths, roots) => {
    expect(
      findTool(
        'go-toolchain',
        paths.map((path) => file(path)),
      ).map(({ path }) => path),
    ).toEqual(roots);
  });

  it('tells shells, by programs and links, and not by folders or data', () => {
    const entries = [
      file('bin/dash'),
      link('bin/sh'),
      file('busybox/busybox'),
      file('usr/share/doc/bash', 1, 0o644),
      link('etc/bash'),
      { ...file('usr/lib/sh'), type: 'directory' as const },
    ];
    expect(findTool('shell', entries).map(({ path }) => path)).toEqual(['bin/dash', 'bin/sh', 'busybox/busybox']);
  });

  it.each([
    ['compiler', 'usr/bin/x86_64-linux-gnu-gcc-14', true],
    ['compiler', 'usr/bin/gcc', true],
    ['compiler', 'usr/libexec/gcc/x86_64-linux-gnu/14/cc1', true],
    ['compiler', 'usr/bin/ccze', false],
    ['package-manager', 'usr/bin/dpkg', true],
    ['package-manager', 'usr/bin/dpkg-query', false],
  ] as const)('%s: %s is one: %s', (tool, path, found) => {
    expect(findTool(tool, [file(path)])).toHaveLength(found ? 1 : 0);
  });
});
