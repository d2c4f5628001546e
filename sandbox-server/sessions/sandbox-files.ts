import { createHash } from 'node:crypto';
import type { RunOptions, RunResult } from '../checks/sandbox-shell.ts';
import { BallastError, maxFileBytes, type FileEntry } from '../protocol/index.ts';
import { checkFilePath } from './file-path.ts';
import { fileExit, listScript, readScript, removeScript, writeScript } from './file-scripts.ts';
import type { Sandbox } from './session.ts';

/** Most entries that a listing names. */
export const maxListedFiles = 2000;
const kinds: Readonly<Record<string, FileEntry['kind']>> = { f: 'file', d: 'directory', l: 'symlink' };
const timeoutMs = 15_000;

/** A file's bytes and the version to save it against: their SHA-256 in hex. */
export interface FileBytes {
  readonly bytes: Buffer;
  readonly version: string;
}

/** What a write or a removal insists on: any state, no such file, or this version. */
export type FileCondition = 'any' | 'new' | { readonly version: string };

const versionOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

function failure(result: RunResult): BallastError {
  switch (result.exitCode) {
    case fileExit.changed:
      return new BallastError('file_changed');
    case fileExit.outside:
      return new BallastError('bad_path', { message: 'That path leads out of the lab folder.' });
    case fileExit.notFound:
      return new BallastError('file_not_found');
    case fileExit.notFile:
      return new BallastError('bad_path', { message: 'There is something at that path that is not a file.' });
    case fileExit.noSpace:
      return new BallastError('disk_full', {
        message: 'The file could not be written: the sandbox has no room or no rights there.',
        hint: 'In a terminal, "df -h ~" shows the room and "ls -l" the rights.',
      });
    default:
      return new BallastError('sandbox_failed', {
        message: result.timedOut ? 'The sandbox took too long over the file.' : 'The file could not be reached.',
        hint: 'Try again. If it stays, reset the sandbox and keep the files.',
        cause: new Error(`exit ${result.exitCode}: ${result.stderr.slice(0, 500)}`),
      });
  }
}

async function runScript(
  sandbox: Sandbox,
  script: string,
  parameters: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const argv = ['/bin/bash', '-c', script, 'ballast-files', sandbox.labDir, ...parameters];
  const result = await sandbox.shell.run(argv, { timeoutMs, signal: sandbox.signal, ...options });
  if (result.exitCode !== 0) throw failure(result);
  return result;
}

/** Parses what `listScript` printed. Names that the API could not take back are left out. */
export function parseListing(output: string): FileEntry[] {
  const files: FileEntry[] = [];
  for (const line of output.split('\0')) {
    const [, kind = '', size = '', modified = '', path = ''] = /^(.) (\d+) (\d+)\.?\d* (.+)$/s.exec(line) ?? [];
    const known = kinds[kind];
    if (known === undefined || !isAddressable(path)) continue;
    // A learner can set any time on a file; JavaScript cannot write every one.
    const seconds = Math.min(Number(modified), 253_402_300_799);
    files.push({ path, kind: known, sizeBytes: Number(size), modifiedAt: new Date(seconds * 1000).toISOString() });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function isAddressable(path: string): boolean {
  try {
    return checkFilePath(path) === path;
  } catch {
    return false;
  }
}

/**
 * Files of the lab folder, without what is in .git and node_modules.
 * @throws BallastError sandbox_failed
 */
export async function listFiles(sandbox: Sandbox): Promise<{ files: FileEntry[]; truncated: boolean }> {
  const result = await runScript(sandbox, listScript, [String(maxListedFiles + 1)], {
    maxOutputBytes: 4 * 1024 * 1024,
  });
  const files = parseListing(result.stdout);
  return { files: files.slice(0, maxListedFiles), truncated: result.truncated || files.length > maxListedFiles };
}

/** @throws BallastError bad_path, file_not_found, too_large, sandbox_failed */
export async function readFile(sandbox: Sandbox, path: string): Promise<FileBytes> {
  const result = await runScript(sandbox, readScript, [checkFilePath(path), String(maxFileBytes)], {
    maxOutputBytes: 2 * maxFileBytes,
  });
  const bytes = Buffer.from(result.stdout, 'base64');
  if (bytes.length > maxFileBytes) {
    throw new BallastError('too_large', {
      message: `The file is larger than ${maxFileBytes / 1024 / 1024} MiB.`,
      hint: 'Look at it in a terminal.',
    });
  }
  return { bytes, version: versionOf(bytes) };
}

/**
 * Writes a file, whole or not at all, with the folders on its way.
 * @returns the new version
 * @throws BallastError bad_path, file_changed, too_large, disk_full, sandbox_failed
 */
export async function writeFile(
  sandbox: Sandbox,
  path: string,
  bytes: Buffer,
  condition: FileCondition,
): Promise<string> {
  if (bytes.length > maxFileBytes) throw new BallastError('too_large');
  const required = typeof condition === 'string' ? condition : condition.version;
  const parameters = [checkFilePath(path), String(bytes.length), required];
  await sandbox.serial(() => runScript(sandbox, writeScript, parameters, { stdin: bytes }));
  return versionOf(bytes);
}

/** @throws BallastError bad_path, file_not_found, file_changed, sandbox_failed */
export async function removeFile(sandbox: Sandbox, path: string, condition: FileCondition): Promise<void> {
  const required = typeof condition === 'string' ? condition : condition.version;
  const parameters = [checkFilePath(path), required];
  await sandbox.serial(() => runScript(sandbox, removeScript, parameters));
}
