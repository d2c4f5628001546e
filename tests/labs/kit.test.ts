import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cp, open, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readKit } from '../../bin/kit-file.mjs';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import { packSubmission, readSubmissionFolder } from '../../sandbox-server/grading/submission.ts';
import { labResult } from '../../sandbox-server/protocol/index.ts';
import { CutOffEngine, whyNoEngine } from '../helpers/cut-off-engine.ts';

const missing = whyNoEngine();
if (missing !== null) process.stderr.write(`\n!!! tests of the kit are skipped, because ${missing}\n\n`);

const folder = mkdtempSync(join(tmpdir(), 'ballast-kit-'));
const kit = join(folder, 'ballast.kit');
const project = join(folder, 'project');
const token = 'a-token-that-is-long-enough';
/** What a machine has before anything of Ballast is there: not the Node that the dependencies bring. */
const plainPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((part) => !part.includes('node_modules'))
  .join(delimiter);
/** Of a project, what set-up makes and what tests leave. */
const made = new Set(['node_modules', 'dist', '.astro', '.git', 'test-results', 'playwright-report', 'coverage']);

interface Ran {
  readonly code: number | null;
  readonly text: string;
}

describe.skipIf(missing !== null)('a kit', () => {
  let engine: CutOffEngine;

  beforeAll(async () => {
    engine = await CutOffEngine.start();
    await cp(projectRoot, project, {
      recursive: true,
      filter: (source) => !made.has(relative(projectRoot, source).split('/')[0] ?? ''),
    });
    mkdirSync(join(folder, 'home'));
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a program on the machine without a network: its engine, its project folder, nothing of this one's. */
  function onOther(args: readonly string[], onLine: (line: string, kill: () => void) => void = () => undefined) {
    const [program, argv] = engine.inside('node', ...args);
    const child = spawn(program, argv, {
      cwd: project,
      detached: true,
      env: {
        PATH: plainPath,
        HOME: join(folder, 'home'),
        DOCKER_HOST: engine.dockerHost,
        BALLAST_GRADER_TOKEN: token,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        onLine(line, () => process.kill(-child.pid!, 'SIGKILL'));
      });
    const ended = once(child, 'close').then(([code]): Ran => ({ code: code as number | null, text: said.join('\n') }));
    return { child, ended };
  }
  const importKit = (onLine?: (line: string, kill: () => void) => void): Promise<Ran> =>
    onOther(['bin/ballast.mjs', 'kit', 'import', kit], onLine).ended;

  async function flip(at: number): Promise<void> {
    const handle = await open(kit, 'r+');
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
    await handle.close();
  }

  /** All that an import could have changed. */
  const state = async (): Promise<unknown> => [
    (await readdir(project)).sort(),
    engine.docker('images', '--quiet'),
    engine.docker('volume', 'ls', '--quiet'),
    engine.docker('ps', '--all', '--quiet'),
  ];

  it('is exported whole or not at all', async () => {
    const exporting = (onLine: (line: string, child: ReturnType<typeof spawn>) => void): Promise<Ran> => {
      const child = spawn(process.execPath, ['sandbox-server/cli/main.ts', 'kit', 'export', kit], {
        cwd: projectRoot,
        env: { ...process.env, BALLAST_HOME: join(folder, 'exporter') },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const said: string[] = [];
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on('line', (line) => {
          said.push(line);
          onLine(line, child);
        });
      return once(child, 'close').then(([code]) => ({ code: code as number | null, text: said.join('\n') }));
    };
    const stopped = await exporting((line, child) => {
      if (line.includes('packed')) child.kill('SIGTERM');
    });
    expect(stopped).toMatchObject({ code: 1, text: expect.stringContaining('Interrupted') as string });
    expect((await readdir(folder)).filter((name) => name.startsWith('ballast.kit'))).toEqual([]);

    const { code, text } = await exporting(() => undefined);
    expect(code, text).toBe(0);
    expect((await stat(kit)).size).toBe((await readKit(kit)).size);
    expect(text).toMatch(/^[0-9a-f]{64} {2}.*ballast\.kit$/m);
  });

  it('changes nothing when a byte of it is another, in a part or between them', async () => {
    const before = await state();
    const { members } = await readKit(kit);
    for (const { name, start, size } of members) {
      for (const at of [start + Math.floor(size / 2), start - 1]) {
        await flip(at);
        const { code, text } = await importKit();
        await flip(at);
        expect({ name, code, text }).toMatchObject({
          code: 1,
          text: expect.stringMatching(/kit_(damaged|mismatch)/) as string,
        });
      }
    }
    expect(await state()).toEqual(before);
  });

  it('goes on after an import that was killed', async () => {
    let begun = false;
    const killed = await importKit((line, kill) => {
      begun ||= line.includes('[STARTED] Base images');
      if (begun && / of [\d.]+ [MG]B$/.test(line)) kill();
    });
    expect(killed.code, killed.text).not.toBe(0);
    const { code, text } = await importKit();
    expect(code, text).toBe(0);
    expect(text).toContain('Sandbox image: here already');
    expect(text).toMatch(/Base images: \d+ ready/);
    const again = await importKit();
    expect(again.code, again.text).toBe(0);
    expect(again.text.match(/here already/g)).toHaveLength(3);
    expect(engine.docker('ps', '--all', '--quiet')).toBe('');
  });

  it('is all that the workshop needs where there is no network: its solution passes', async () => {
    expect(
      (await onOther(['--eval', "fetch('http://192.0.2.1').catch((e) => console.log(e.cause.code))"]).ended).text,
    ).toBe('ENETUNREACH');
    const started = Promise.withResolvers<string>();
    const server = onOther(['bin/ballast.mjs', 'start', '--port', '0'], (line) => {
      const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
      if (url !== undefined) started.resolve(url);
    });
    void server.ended.then(({ text }) => {
      started.reject(new Error(text));
    });
    try {
      const url = await started.promise;
      const ask = onOther([
        '--input-type=module',
        '--eval',
        `import { arrayBuffer } from 'node:stream/consumers';
        const page = await fetch('${url}/');
        const answer = await fetch('${url}/api/grade?lab=multi-stage-go', {
          method: 'POST', body: await arrayBuffer(process.stdin), duplex: 'half',
          headers: { 'content-type': 'application/x-tar', authorization: 'Bearer ${token}' },
        });
        console.log(JSON.stringify({ page: page.status, result: await answer.json() }));`,
      ]);
      packSubmission(await readSubmissionFolder(join(projectRoot, 'labs/multi-stage-go/solution'))).pipe(
        ask.child.stdin,
      );
      const { code, text } = await ask.ended;
      expect(code, text).toBe(0);
      const { page, result } = JSON.parse(text) as { page: number; result: unknown };
      expect(page).toBe(200);
      expect(labResult.parse(result)).toMatchObject({ lab: 'multi-stage-go', outcome: 'passed' });
    } finally {
      server.child.kill('SIGTERM');
      await server.ended;
    }
    expect(existsSync(join(project, 'node_modules/.ballast-installed'))).toBe(true);
  });
});
