import { describe, expect, it } from 'vitest';
import { parseReport } from './start-sandbox.ts';

describe('parseReport', () => {
  it('reads stages, readiness and failure', () => {
    expect(parseReport('ballast: stage 0.25 Linking the base images')).toEqual({
      type: 'stage',
      fraction: 0.25,
      text: 'Linking the base images',
    });
    expect(parseReport('ballast: ready')).toEqual({ type: 'ready' });
    expect(parseReport('ballast: failed No devices.')).toEqual({ type: 'failed', text: 'No devices.' });
  });

  it.each(['', 'ready', ' ballast: ready', 'ballast: readyish', 'ballast: stage x y', 'time="…" level=warning'])(
    'leaves "%s" alone',
    (line) => {
      expect(parseReport(line)).toBeNull();
    },
  );
});
