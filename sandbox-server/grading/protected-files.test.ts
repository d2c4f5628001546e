import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { makeTar } from '../../tests/helpers/archives.ts';
import { putBack } from './protected-files.ts';
import { readSubmissionTar } from './submission.ts';
import type { Submission } from './submission.ts';

const read = async (...entries: Parameters<typeof makeTar>[0][number][]): Promise<Submission> =>
  readSubmissionTar(Readable.from([await makeTar(entries)]));
const paths = (files: Submission): string[] => [...files.values()].map(({ path, type }) => `${path} ${type}`).sort();

it('puts a protected file back in place of whatever has its name', async () => {
  const given = await read(['cmd/main_test.go', 'given']);
  const changed = putBack(await read(['Dockerfile', ''], ['cmd/main_test.go', 'mine']), given);
  expect(changed.get('cmd/main_test.go')).toMatchObject({ content: Buffer.from('given') });
  expect(paths(putBack(await read(['cmd', 'a file']), given))).toEqual(['cmd/main_test.go file']);
  const link = await read(['x/', null], ['cmd', { type: 'symlink', linkname: 'x' }]);
  expect(paths(putBack(link, given))).toEqual(['cmd/main_test.go file', 'x directory']);
  const folder = await read(['cmd/main_test.go/', null], ['cmd/main_test.go/y', '']);
  expect(paths(putBack(folder, given))).toEqual(['cmd/main_test.go file']);
});
