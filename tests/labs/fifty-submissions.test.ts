import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gradeMany, outcomeOf } from '../../sandbox-server/grading/index.ts';
import type { Graded, NamedSubmission } from '../../sandbox-server/grading/index.ts';
import { overlay, packSubmission, readSubmissionFolder } from '../../sandbox-server/grading/submission.ts';
import type { Submission } from '../../sandbox-server/grading/submission.ts';
import type { Lab } from '../../sandbox-server/labs/index.ts';
import { graderOf } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';
import type { Base } from '../helpers/server.ts';

/** A class hands in: fifty submissions, two at a time, each to get its own right verdict. */

const host = 'fifty-test';
const wanted = 50;
const parts = 10;
/** Several times what a right one takes; less than one build may take, so that a build without an end is stopped by it. */
const timeoutMs = 240_000;
const home = mkdtempSync(join(tmpdir(), 'ballast-fifty-'));
let base: Base;
let lab: Lab;

/** A file for what became of each, a line each. */
const figures = process.env['BALLAST_FIGURES'];

/** A submission and the verdict that it must get. */
interface Expected extends NamedSubmission {
  readonly verdict: string;
}

beforeAll(async () => {
  base = await prepareBase(home);
  const found = base.labs.get('multi-stage-go');
  if (found === undefined) throw new Error('The lab multi-stage-go is missing.');
  lab = found;
});
afterAll(async () => {
  for (const { id } of await base.engine.listSandboxes({ 'ballast.host': host })) await base.engine.removeSandbox(id);
  rmSync(home, { recursive: true, force: true });
});

/** Outcome, score and failed checks. */
const verdictOf = (graded: Graded): string => {
  const failed = graded.result?.checks.filter(({ status }) => status === 'fail').map(({ id }) => id) ?? [];
  return [outcomeOf(graded), ...(graded.result === null ? [] : [graded.result.score]), ...failed.sort()].join(' ');
};

/** The verdict of a submission that fails these checks and no other. */
function failing(ids: readonly string[]): string {
  const points = lab.checks.filter(({ id }) => !ids.includes(id)).map((check) => check.points);
  return ['failed', points.reduce((sum, each) => sum + each, 0), ...[...ids].sort()].join(' ');
}

const passed = (): string => failing([]).replace('failed', 'passed');

const withFile = (files: Submission, path: string, text: string): Submission =>
  new Map([...files, [path, { path, type: 'file', executable: false, content: Buffer.from(text) }]]);

/** As an archive, every other one gzipped: what a class uploads. */
function archived(name: string, files: Submission, verdict: string, index: number): Expected {
  const open = (): { tar: Readable } => {
    const tar = packSubmission(files);
    return { tar: index % 2 === 0 ? tar : tar.pipe(createGzip()) };
  };
  return { name, open, verdict };
}

function refused(name: string, header: Parameters<ReturnType<typeof pack>['entry']>[0]): Expected {
  const open = (): { tar: Readable } => {
    const archive = pack();
    archive.entry(header);
    archive.finalize();
    return { tar: Readable.from(archive, { objectMode: false }) };
  };
  return { name, open, verdict: 'refused' };
}

async function hostile(solution: Submission): Promise<Expected[]> {
  const dockerfiles = {
    hang: 'FROM golang:1.24\nRUN sleep 100000\n',
    spin: 'FROM golang:1.24\nRUN while :; do :; done\n',
    // Its first shell goes on: a bomb that cannot start one more program ends by itself at some time or other.
    bomb: "FROM golang:1.24\nRUN bash -c ':(){ :|:& };:; while :; do :; done'\n",
    flood: 'FROM golang:1.24\nRUN yes\n',
  };
  const stopped: Record<string, string> = {
    // The builder may fall over before the time ends: what does not need the image is judged then.
    bomb: expect.stringMatching(/^failed 0 image-built( tests-in-stage)?$/) as string,
  };
  const start = await readSubmissionFolder(lab.startDir);
  // Their time ends within the build, and all else is not reached.
  const hanging = Object.entries(dockerfiles).map(([name, dockerfile], index) =>
    archived(name, withFile(start, 'Dockerfile', dockerfile), stopped[name] ?? 'failed 0 image-built', index),
  );
  const noise = withFile(
    withFile(solution, 'result.json', '{"outcome":"passed"}'),
    'bin/docker',
    '#!/bin/sh\nexit 0\n',
  );
  return [
    ...hanging,
    archived('brings-a-docker', noise, passed(), 0),
    refused('traversal', { name: '../../.bashrc' }),
    refused('device', { name: 'disk', type: 'block-device', devmajor: 8 }),
    refused('link', { name: 'x', type: 'symlink', linkname: '/etc/passwd' }),
  ];
}

/** All fifty, those that go wrong in different ways first. */
async function fifty(): Promise<readonly Expected[]> {
  const solution = await readSubmissionFolder(lab.solutionDir);
  const cases = await Promise.all(
    lab.wrongCases.map(async (wrong, index) => {
      const differs = new Map(await readSubmissionFolder(wrong.dir));
      differs.delete('case.yaml');
      const files = overlay(solution, differs, wrong.remove);
      return archived(wrong.name, files, failing(wrong.caughtBy), index);
    }),
  );
  const bad = [...cases, ...(await hostile(solution))];
  const twice = cases.map((one) => ({ ...one, name: `${one.name}-again` }));
  const right = Array.from({ length: Math.max(0, wanted - bad.length - twice.length) }, (_, index) =>
    archived(`right-${String(index)}`, withFile(solution, 'NOTES.md', `No. ${String(index)}`), passed(), index),
  );
  return [...bad, ...right, ...twice].slice(0, wanted);
}

/** Dealt out so that each part has some of several sorts. */
describe.each(Array.from({ length: parts }, (_, part) => part))('part %i of fifty submissions', (part) => {
  it('each gets its right verdict, two at a time', { timeout: 1_800_000 }, async () => {
    const all = await fifty();
    expect(all).toHaveLength(wanted);
    const mine = all.filter((_, index) => index % parts === part);
    const graded = await gradeMany(lab, mine, {
      ...graderOf(base, host),
      kinds: base.kinds,
      jobs: 2,
      timeoutMs,
      onGraded: (one) => {
        const figure = JSON.stringify({
          submission: one.name,
          verdict: verdictOf(one),
          seconds: Number((one.durationMs / 1000).toFixed(1)),
          sandboxPeakMiB: one.memoryPeakBytes === null ? null : Math.round(one.memoryPeakBytes / 1024 ** 2),
          graderMiB: Math.round(process.memoryUsage.rss() / 1024 ** 2),
        });
        process.stderr.write(`${figure}\n`);
        if (figures !== undefined) appendFileSync(figures, `${figure}\n`);
      },
    });
    const verdicts = Object.fromEntries(graded.map((one) => [one.name, verdictOf(one)]));
    expect(verdicts).toEqual(Object.fromEntries(mine.map(({ name, verdict }) => [name, verdict])));
    expect(await base.engine.listSandboxes({ 'ballast.host': host })).toEqual([]);
  });
});
