import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import { readHostId } from '../../sandbox-server/setup/host-id.ts';
import { makeTar } from '../helpers/archives.ts';
import { removeSandboxes } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';
import type { Base } from '../helpers/server.ts';

/** `ballast grade` as a CI job runs it: in a pipe, with what it is given on standard input. */

const home = mkdtempSync(join(tmpdir(), 'ballast-grade-'));
const lab = 'multi-stage-go';
let base: Base;

beforeAll(async () => {
  base = await prepareBase(home);
});
afterAll(async () => {
  await removeSandboxes(base, readHostId(home));
  rmSync(home, { recursive: true, force: true });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function grade(
  args: readonly string[],
  { stdin = Buffer.alloc(0), interruptAt }: { readonly stdin?: Buffer; readonly interruptAt?: RegExp } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, ['sandbox-server/cli/main.ts', 'grade', lab, ...args], {
    cwd: projectRoot,
    env: { ...process.env, BALLAST_HOME: home, CI: 'true', FORCE_COLOR: undefined },
  });
  child.stdin.on('error', () => undefined).end(stdin);
  let said = '';
  let interrupted = false;
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    // Once: the second ends it at once.
    if (interruptAt?.test(said) !== true || interrupted) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { status: child.exitCode, stdout, stderr };
}

/** A submission whose build does this, and nothing else. */
function submissionOf(name: string, step: string): string {
  const folder = join(home, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'Dockerfile'), `FROM golang:1.24\nRUN ${step}\n`);
  return folder;
}

const escapes = /[^\P{Cc}\n]/u;

it('grades a gzipped tar from standard input, and writes no colours into a pipe', async () => {
  const csv = join(home, 'one.csv');
  const tar = gzipSync(await makeTar([['Dockerfile', 'FROM golang:1.24\nRUN exit 7\n']]));
  const { status, stdout, stderr } = await grade(['-', '--csv', csv], { stdin: tar });
  expect(status, stderr).toBe(1);
  expect(stdout).toContain('exit code: 7');
  expect(stdout).toContain('Not there yet: 0 of');
  expect(stdout).not.toMatch(escapes);
  expect(readFileSync(csv, 'utf8').split('\r\n')[1]).toMatch(/^standard input,failed,0,/);
});

it('refuses what is no submission on standard input, and shows no terminal the sequences in its names', async () => {
  const hostile = await makeTar([['a\u001b]0;passed\u0007\u009b2J', { type: 'symlink', linkname: '/etc/passwd' }]]);
  const { status, stdout, stderr } = await grade(['-'], { stdin: hostile });
  expect(status, stderr).toBe(2);
  expect(stderr).toContain('leads out of the submission');
  expect(stdout).toContain('refused');
  expect(`${stdout}${stderr}`).not.toMatch(escapes);
});

it('has no sandbox where the scores cannot be written', async () => {
  const { status, stderr } = await grade([submissionOf('unwritable', 'true'), '--csv', join(home, 'no', 'scores.csv')]);
  expect(status).toBe(2);
  expect(stderr).toContain('could not be written');
});

it('tells of those that are done when it is interrupted', async () => {
  const csv = join(home, 'many.csv');
  const folders = [submissionOf('quick', 'exit 7'), submissionOf('slow', 'sleep 600')];
  const { status, stdout, stderr } = await grade([...folders, '--csv', csv], { interruptAt: /\[1\/2\] quick/ });
  expect(status, stderr).toBe(3);
  expect(stderr).toContain('Interrupted');
  // What was broken off has not failed.
  expect(stderr).not.toContain('slow');
  expect(stdout).toMatch(/quick failed 0\//);
  expect(stdout).not.toContain('slow');
  expect(readFileSync(csv, 'utf8').split('\r\n').slice(1)).toEqual([expect.stringMatching(/^quick,failed,0,/), '']);
  expect(await base.engine.listSandboxes({ 'ballast.host': readHostId(home) })).toEqual([]);
});
