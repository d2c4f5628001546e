import { BallastError } from '../protocol/index.ts';

const sqliteFull = 13;
const sqliteIoError = 10;

/**
 * Runs a statement that writes.
 * @throws BallastError disk_full when there is no room for it; the database is as it was
 */
export function storing<Result>(write: () => Result): Result {
  try {
    return write();
  } catch (cause) {
    const code = (cause as { errcode?: unknown }).errcode;
    const primary = typeof code === 'number' ? code & 0xff : 0;
    if (primary !== sqliteFull && primary !== sqliteIoError) throw cause;
    throw new BallastError('disk_full', {
      message: 'The server has no room to write to its database.',
      hint: 'Tell whoever runs it: the disk that holds its home folder is full.',
      cause,
    });
  }
}
