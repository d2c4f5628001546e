import { expect, test } from 'vitest';
import { parseListing } from './sandbox-files.ts';

test('a listing is parsed, sorted, and what cannot be addressed is left out', () => {
  const output = [
    'f 12 1700000000.1234567890 b.go',
    'd 4096 1700000000.0000000000 a',
    'l 3 1700000000.0000000000 a/link with space',
    'f 1 1700000000.0000000000 bad\nname',
    's 0 1700000000.0000000000 socket',
    'f 0 99999999999999.0000000000 future',
    'garbage',
    '',
  ].join('\0');
  expect(parseListing(output)).toEqual([
    { path: 'a', kind: 'directory', sizeBytes: 4096, modifiedAt: '2023-11-14T22:13:20.000Z' },
    { path: 'a/link with space', kind: 'symlink', sizeBytes: 3, modifiedAt: '2023-11-14T22:13:20.000Z' },
    { path: 'b.go', kind: 'file', sizeBytes: 12, modifiedAt: '2023-11-14T22:13:20.000Z' },
    { path: 'future', kind: 'file', sizeBytes: 0, modifiedAt: '9999-12-31T23:59:59.000Z' },
  ]);
});
