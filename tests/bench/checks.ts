/**
 * How long live checks take, and reading a large image: `node tests/bench/checks.ts [--rounds N]`. Writes one JSON
 * document to standard output. In a sandbox of its own, which is gone when it ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import { createSandboxImages, runChecks } from '../../sandbox-server/checks/index.ts';
import type { Verdict } from '../../sandbox-server/checks/index.ts';
import { packSubmission, readSubmissionFolder } from '../../sandbox-server/grading/submission.ts';
import { LayerFiles } from '../../sandbox-server/images/layer-files.ts';
import { LayerKnowledge } from '../../sandbox-server/images/layer-memory.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { startSandbox } from '../../sandbox-server/sessions/start-sandbox.ts';
import { graderOf } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';
import { summarise } from './statistics.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);
const labId = 'multi-stage-go';
const largeImage = 'fat';
const hostId = `bench-checks-${String(process.pid)}`;
const home = mkdtempSync(join(tmpdir(), 'ballast-bench-checks-'));
const labDir = `/home/learner/${labId}`;

const base = await prepareBase(home);
const { engine, image, storeVolume, limits, startTimeoutMs } = graderOf(base, hostId);
const spec = { session: newSessionId(), kind: 'sandbox', host: hostId, image, storeVolume, limits } as const;
const started = performance.now();
/** What goes on, for whoever waits. */
const tell = (what: string): void => {
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1)} s: ${what}\n`);
};
try {
  const { id } = await startSandbox(
    engine,
    { ...spec, network: 'none', hostname: 'bench', env: {} },
    { timeoutMs: startTimeoutMs },
  );
  const shell = createEngineShell(engine, id);
  const run = async (argv: readonly string[], stdin?: string): Promise<void> => {
    const options = { timeoutMs: 600_000, ...(stdin === undefined ? {} : { stdin }) };
    const result = await shell.run(argv, options);
    if (result.exitCode !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`);
  };
  const timed = async <Result>(what: () => Promise<Result>): Promise<{ ms: number; result: Result }> => {
    const started = performance.now();
    const result = await what();
    return { ms: Math.round(performance.now() - started), result };
  };

  const lab = base.labs.get(labId);
  if (lab === undefined) throw new Error(`There is no lab ${labId}.`);
  await run(['/usr/bin/mkdir', '--parents', labDir]);
  const place = async (dir: string): Promise<void> => {
    const stdin = packSubmission(await readSubmissionFolder(dir));
    const { exitCode, stderr } = await shell.run(
      ['/usr/bin/tar', '--extract', `--directory=${labDir}`, '--touch', '--overwrite'],
      { stdin },
    );
    if (exitCode !== 0) throw new Error(stderr);
  };
  // As the learner finds it: the service in the image that it was built in.
  await place(lab.startDir);
  await run(['/usr/bin/docker', 'build', '--quiet', `--tag=${largeImage}`, labDir]);
  tell(`built ${largeImage}`);

  // Reading first: the peak of the process's memory must be this.
  const layers = join(home, 'layers');
  const rssBefore = process.memoryUsage().rss;
  const knowledge = new LayerKnowledge(new LayerFiles(layers));
  const first = await timed(() => createSandboxImages(shell, knowledge).read(largeImage));
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const second = await timed(() => createSandboxImages(shell, knowledge).read(largeImage));
  const secondPeakBytes = process.resourceUsage().maxRSS * 1024;
  const afterRestart = await timed(() =>
    createSandboxImages(shell, new LayerKnowledge(new LayerFiles(layers))).read(largeImage),
  );
  tell(`read ${largeImage}: ${String(first.ms)} ms, ${String(second.ms)} ms, ${String(afterRestart.ms)} ms`);

  await place(lab.solutionDir);
  const build = (): Promise<void> => run(['/usr/bin/docker', 'build', '--quiet', '--tag=greeter', labDir]);
  const images = createSandboxImages(shell, knowledge);
  const remembered = new Map<string, Verdict>();
  const judge = async (): Promise<number> => {
    const context = { shell, images, labDir, mode: 'live', remembered } as const;
    const { ms, result } = await timed(() => runChecks(lab, context, { kinds: base.kinds, concurrency: 3 }));
    if (result.outcome !== 'passed') throw new Error(JSON.stringify(result.checks));
    const slowest = result.checks.toSorted((a, b) => b.durationMs - a.durationMs)[0];
    tell(`all checks: ${String(ms)} ms, of them ${slowest?.id ?? ''} ${String(slowest?.durationMs)} ms`);
    return ms;
  };
  const series = async (before: () => Promise<void>): Promise<ReturnType<typeof summarise>> => {
    const all: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await before();
      all.push(await judge());
    }
    return summarise(all);
  };
  const append = (file: string, text: string): Promise<void> =>
    run(['/bin/sh', '-c', 'cat >> "$1"', 'sh', `${labDir}/${file}`], text);

  await build();
  tell('built');
  const firstRunMs = await judge();
  const unchanged = await series(() => Promise.resolve());
  let count = 0;
  const lastStageChanged = await series(async () => {
    count += 1;
    await append('Dockerfile', `LABEL round=${String(count)}\n`);
    await build();
  });
  const sourceChanged = await series(async () => {
    count += 1;
    await append('main.go', `\n// ${String(count)}\n`);
    await build();
  });
  process.stdout.write(
    `${JSON.stringify(
      {
        date: new Date().toISOString(),
        cores: availableParallelism(),
        load: loadavg()[0],
        lab: { id: labId, checks: lab.checks.length, firstRunMs, unchanged, lastStageChanged, sourceChanged },
        reading: {
          image: largeImage,
          sizeBytes: first.result.sizeBytes,
          files: first.result.merged.size,
          firstMs: first.ms,
          secondMs: second.ms,
          afterRestartMs: afterRestart.ms,
          rssBeforeBytes: rssBefore,
          peakBytes,
          secondPeakBytes,
        },
      },
      null,
      2,
    )}\n`,
  );
} finally {
  for (const { id } of await engine.listSandboxes({ 'ballast.host': hostId })) await engine.removeSandbox(id);
  rmSync(home, { recursive: true, force: true });
}
process.exit(0);
