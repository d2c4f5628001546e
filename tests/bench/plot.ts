import { formatMs } from './format.ts';
import type { BenchResults } from './results.ts';
import { lineName, linesOf } from './tables.ts';

const width = 720;
/** Follows the reader's colours, as an image in a page too. */
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2933; }
  .title { font-weight: 600; font-size: 15px; }
  .axis { stroke: #8a94a0; stroke-width: 1; fill: none; }
  .grid { stroke: #d5dae0; stroke-width: 1; }
  .small { font-size: 12px; fill: #52606d; }
  .ballast { fill: #0b7285; stroke: #0b7285; } .exec { fill: #868e96; stroke: #868e96; } .rival { fill: #c2571a; stroke: #c2571a; }
  .line { fill: none; stroke-width: 2.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb; } .small { fill: #a9b4c0; } .grid { stroke: #3a4450; }
    .ballast { fill: #3bc9db; stroke: #3bc9db; } .exec { fill: #adb5bd; stroke: #adb5bd; } .rival { fill: #ff922b; stroke: #ff922b; }
  }`;

const escape = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

function svg(title: string, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(height)}" role="img" aria-label="${escape(title)}">`,
    `<style>${style}\n</style>`,
    `<text class="title" x="16" y="26">${escape(title)}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** Places values on a logarithmic axis. */
function logScale(values: readonly number[], from: number, to: number): { at(value: number): number; ticks: number[] } {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  const span = Math.max(1, high - low);
  return {
    at: (value) => from + ((Math.log10(value) - low) / span) * (to - from),
    ticks: Array.from({ length: span + 1 }, (_, index) => 10 ** (low + index)),
  };
}

/** Bars, on a logarithmic scale: how long until there is a prompt. */
export function plotStarts({ starts }: BenchResults): string {
  const bars = [
    { name: 'Ballast, from its pool', of: starts.warm, kind: 'ballast' },
    { name: 'Ballast, made when asked for', of: starts.cold, kind: 'ballast' },
    { name: 'Docker-in-Docker, images from a tar', of: starts.tar, kind: 'rival' },
    { name: 'Docker-in-Docker, images from a registry', of: starts.registry, kind: 'rival' },
  ].flatMap(({ of, ...rest }) => (of === null ? [] : [{ ...rest, of }]));
  const [left, right, top, step] = [300, width - 70, 56, 40];
  const bottom = top + bars.length * step;
  const scale = logScale(
    bars.flatMap(({ of }) => [of.min, of.max]),
    left,
    right,
  );
  const parts = [
    ...scale.ticks.flatMap((tick) => {
      const x = scale.at(tick).toFixed(1);
      return [
        `<line class="grid" x1="${x}" x2="${x}" y1="${String(top - 10)}" y2="${String(bottom)}"/>`,
        `<text class="small" x="${x}" y="${String(bottom + 18)}" text-anchor="middle">${tick < 1000 ? `${String(tick)} ms` : `${String(tick / 1000)} s`}</text>`,
      ];
    }),
    ...bars.flatMap(({ name, of, kind }, index) => {
      const y = top + index * step;
      const x = scale.at(of.median);
      const middle = (y + 12).toFixed(1);
      return [
        `<text x="${String(left - 10)}" y="${String(y + 17)}" text-anchor="end">${escape(name)}</text>`,
        `<rect class="${kind}" x="${String(left)}" y="${String(y)}" width="${(x - left).toFixed(1)}" height="24" rx="3"/>`,
        `<line class="axis" x1="${scale.at(of.min).toFixed(1)}" x2="${scale.at(of.max).toFixed(1)}" y1="${middle}" y2="${middle}"/>`,
        `<text x="${(Math.max(x, scale.at(of.max)) + 8).toFixed(1)}" y="${String(y + 17)}">${formatMs(of.median)}</text>`,
      ];
    }),
  ];
  return svg('From asking for a sandbox to its prompt (median; line: from least to most)', bottom + 34, parts);
}

/** Curves: what share of the keys was echoed within what time. */
export function plotEcho(results: BenchResults): string {
  const curves = linesOf(results).flatMap((name) => {
    const values = results.echoValues[name] ?? [];
    return values.length === 0 ? [] : [{ name, values }];
  });
  const [left, right, top, bottom] = [70, width - 150, 56, 300];
  const scale = logScale(
    curves.flatMap(({ values }) => [values[0] ?? 1, values.at(-1) ?? 1]),
    left,
    right,
  );
  // The last of a hundred matter most: 50 %, 90 %, 99 % stand at even distances.
  const height = (share: number): number => bottom - (Math.min(-Math.log10(1 - share), 3) / 3) * (bottom - top);
  const parts = [
    ...scale.ticks.flatMap((tick) => {
      const x = scale.at(tick).toFixed(1);
      return [
        `<line class="grid" x1="${x}" x2="${x}" y1="${String(top)}" y2="${String(bottom)}"/>`,
        `<text class="small" x="${x}" y="${String(bottom + 18)}" text-anchor="middle">${String(tick)} ms</text>`,
      ];
    }),
    ...[0, 0.5, 0.9, 0.99, 0.999].flatMap((share) => {
      const y = height(share).toFixed(1);
      return [
        `<line class="grid" x1="${String(left)}" x2="${String(right)}" y1="${y}" y2="${y}"/>`,
        `<text class="small" x="${String(left - 8)}" y="${(height(share) + 4).toFixed(1)}" text-anchor="end">${String(share * 100)} %</text>`,
      ];
    }),
    ...curves.flatMap(({ name, values }) => {
      const kind = name === 'wetty' ? 'rival' : name;
      const points = values.map((value, index) => [scale.at(value), height(index / values.length)] as const);
      const path = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
      const last = points.at(-1);
      const shift = { ballast: -6, exec: 8, wetty: 22 }[name];
      return [
        `<polyline class="line ${kind}" style="fill: none" points="${path}"/>`,
        `<text x="${String(right + 8)}" y="${((last?.[1] ?? top) + shift).toFixed(1)}" class="${kind}" style="stroke: none">${escape(lineName(name))}</text>`,
      ];
    }),
  ];
  const title = `Keys echoed within a time, ${String(results.comparedAt)} sandboxes open and two more building`;
  return svg(title, bottom + 34, parts);
}
