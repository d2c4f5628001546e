import { expect, it } from 'vitest';
import { parseBuildSteps, whereItBegan } from './build-steps.ts';

const line = (...vertexes: object[]): string => JSON.stringify({ vertexes, logs: [{ data: 'I2Rvbm UK' }] });
const done = '2026-11-21T10:00:00Z';
const log = [
  'WARNING: something of the program itself',
  line({ digest: 'c', name: '[internal] load build context', completed: done }),
  line({ digest: 'f', name: '[build 1/4] FROM docker.io/library/golang:1.24', cached: true }),
  line({ digest: '2', name: '[build 2/4] COPY go.mod ./', inputs: ['f', 'c'], cached: true, completed: done }),
  line({ digest: '3', name: '[build 3/4] COPY . .', inputs: ['2', 'c'], started: done }),
  '{"vertexes":null}',
  '{"torn',
  line({ digest: '3', name: '[build 3/4] COPY . .', inputs: ['2', 'c'], completed: done }),
  line({ digest: '4', name: '[build 4/4] RUN echo "#7 CACHED"', inputs: ['3'], completed: done }),
  line({ digest: '5', name: '[linux/amd64 stage-1 2/2] COPY --from=build /out /', inputs: ['4'], completed: done }),
  line({ digest: '6', name: '[2/2] RUN never ended', inputs: ['5'], started: done }),
].join('\n');

/** As buildx 0.13 writes it: spread over lines. */
const spread = log.replace(/^\{"vertexes":\[.*$/gm, (text) => JSON.stringify(JSON.parse(text), null, 2));

it.each([
  ['on one line each', log],
  ['spread over lines', spread],
])('reads the steps of a build (documents %s), which came from the cache and what each builds on', (_how, text) => {
  expect(parseBuildSteps(text)).toEqual([
    {
      name: '[build 2/4] COPY go.mod ./',
      stage: 'build',
      instruction: 'COPY go.mod ./',
      cached: true,
      inputs: ['[build 1/4] FROM docker.io/library/golang:1.24', '[internal] load build context'],
    },
    expect.objectContaining({ stage: 'build', instruction: 'COPY . .', cached: false }),
    expect.objectContaining({ instruction: 'RUN echo "#7 CACHED"', cached: false, inputs: ['[build 3/4] COPY . .'] }),
    expect.objectContaining({ stage: 'stage-1', instruction: 'COPY --from=build /out /', cached: false }),
  ]);
});

it('finds where it began that a step ran anew, across stages', () => {
  const steps = parseBuildSteps(log);
  const last = steps.at(-1)!;
  expect(whereItBegan(last, steps).name).toBe('[build 3/4] COPY . .');
  expect(whereItBegan(steps[1]!, steps)).toBe(steps[1]);
});
