import { formatMs, formatRate, formatRatio, formatSize, withRange, type Table } from './format.ts';
import type { BenchResults } from './results.ts';
import { ratio, type Summary } from './statistics.ts';

interface Ways {
  readonly ballast: Summary | null;
  readonly dind: Summary | null;
}

const lineNames = { ballast: 'Ballast', exec: 'docker exec -it', wetty: 'wetty' } as const;
export type LineName = keyof typeof lineNames;
/** The ways to a shell that were measured, in the order in which they are shown. */
export const linesOf = (results: BenchResults): LineName[] =>
  (Object.keys(lineNames) as LineName[]).filter((name) => results.quietEcho[name] !== undefined);
export const lineName = (name: LineName): string => lineNames[name];

const times = (above: number | undefined, below: number | undefined): string =>
  formatRatio(above === undefined || below === undefined ? null : above / below);

/** Time from asking for a sandbox to its prompt. */
export function startTable({ starts, listed }: BenchResults): Table {
  const row = (name: string, way: keyof BenchResults['starts'], isRival: boolean): string[] => [
    name,
    withRange(starts[way], formatMs),
    withRange(listed[way], formatMs),
    isRival ? formatRatio(ratio(starts[way], starts.cold)) : '',
    isRival ? formatRatio(ratio(starts[way], starts.warm)) : '',
  ];
  return {
    head: ['', 'to a prompt', 'all images listed', 'ratio to cold', 'ratio to warm'],
    rows: [
      row('Ballast, from its pool (warm)', 'warm', false),
      row('Ballast, made when asked for (cold)', 'cold', false),
      row('Docker-in-Docker, images from a tar', 'tar', true),
      row('Docker-in-Docker, images from a registry', 'registry', true),
    ],
  };
}

/** What one sandbox takes, and how long builds take in it. */
export function sandboxTable({ idle, built, build, firstBuild }: BenchResults): Table {
  const row = (name: string, ways: Ways, format: (value: number) => string): string[] => [
    name,
    withRange(ways.ballast, format),
    withRange(ways.dind, format),
    formatRatio(ratio(ways.dind, ways.ballast)),
  ];
  const of = (weights: BenchResults['idle'], part: 'memory' | 'pss' | 'disk'): Ways => ({
    ballast: weights.ballast[part],
    dind: weights.dind[part],
  });
  return {
    head: ['', 'Ballast', 'Docker-in-Docker', 'ratio'],
    rows: [
      row('First build of the lab done, from being asked for', firstBuild, formatMs),
      row('That build by itself', build, formatMs),
      row('Disk, idle', of(idle, 'disk'), formatSize),
      row('Disk, after the build', of(built, 'disk'), formatSize),
      row('Memory, idle', of(idle, 'memory'), formatSize),
      row('Memory, after the build', of(built, 'memory'), formatSize),
      row('Memory, idle, as PSS', of(idle, 'pss'), formatSize),
      row('Memory, after the build, as PSS', of(built, 'pss'), formatSize),
    ],
  };
}

/** The terminal: a key's way to the screen, and a long output's. */
export function terminalTable(results: BenchResults): Table {
  const level = results.levels.find(({ sandboxes }) => sandboxes === results.comparedAt);
  const bare = level?.echo.exec;
  return {
    head: ['', 'echo, p50', 'echo, p99', 'p99 of bare exec', 'quiet, p50', 'quiet, p99', 'a long output'],
    rows: linesOf(results).map((name) => {
      const loaded = level?.echo[name];
      const quiet = results.quietEcho[name];
      return [
        lineNames[name],
        loaded ? formatMs(loaded.median) : '–',
        loaded ? formatMs(loaded.p99) : '–',
        name === 'exec' ? '' : times(loaded?.p99, bare?.p99),
        quiet ? formatMs(quiet.median) : '–',
        quiet ? formatMs(quiet.p99) : '–',
        withRange(results.flood[name], formatRate),
      ];
    }),
  };
}

/** From one sandbox to many. */
export function crowdTable({ levels }: BenchResults): Table {
  return {
    head: ['sandboxes', 'opened in', 'each', 'memory each', 'echo p50', 'echo p99', 'bare p50', 'bare p99'],
    rows: levels.map(({ sandboxes, grownMs, grownBy, memoryEach, echo }) => [
      String(sandboxes),
      grownBy === 0 ? '' : `${formatMs(grownMs)} (${String(grownBy)} more)`,
      grownBy === 0 ? '' : formatMs(grownMs / grownBy),
      memoryEach === null ? '–' : formatSize(memoryEach.median),
      ...[echo.ballast, echo.exec].flatMap((one) => (one ? [formatMs(one.median), formatMs(one.p99)] : ['–', '–'])),
    ]),
  };
}
