import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFlowControl } from './flow-control.ts';
import { createOutputBatcher } from './output-batcher.ts';
import { createRateMeter } from './rate-meter.ts';

describe('flow control', () => {
  test('pauses above the high mark and goes on at the low one', () => {
    const flow = createFlowControl(100, 20);
    flow.sent(100);
    expect(flow.paused).toBe(false);
    flow.sent(1);
    expect(flow.paused).toBe(true);
    expect(flow.acknowledged(80)).toBe(true);
    expect(flow.paused).toBe(true);
    expect(flow.acknowledged(1)).toBe(true);
    expect(flow.paused).toBe(false);
    expect(flow.outstanding).toBe(20);
  });

  test('refuses to be told of more than was sent', () => {
    const flow = createFlowControl(100, 20);
    flow.sent(10);
    expect(flow.acknowledged(11)).toBe(false);
    expect(flow.outstanding).toBe(10);
  });
});

test('a rate meter takes a burst, then its rate', () => {
  let time = 0;
  const meter = createRateMeter({ burst: 10, perSecond: 5 }, () => time);
  expect(meter.take(10)).toBe(true);
  expect(meter.take(1)).toBe(false);
  time = 200;
  expect(meter.take(1)).toBe(true);
  expect(meter.take(1)).toBe(false);
  time = 1_000_000;
  expect(meter.take(11)).toBe(false);
  expect(meter.take(10)).toBe(true);
});

describe('the output batcher', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('sends the first chunk at once and joins those that follow', () => {
    const sent: string[] = [];
    const batcher = createOutputBatcher((bytes) => sent.push(bytes.toString()), { quietMs: 4, maxBytes: 10 });
    batcher.push(Buffer.from('a'));
    batcher.push(Buffer.from('b'));
    batcher.push(Buffer.from('c'));
    expect(sent).toEqual(['a']);
    vi.advanceTimersByTime(4);
    expect(sent).toEqual(['a', 'bc']);
    vi.advanceTimersByTime(20);
    batcher.push(Buffer.from('d'));
    expect(sent).toEqual(['a', 'bc', 'd']);
  });

  test('never makes a frame larger than allowed', () => {
    const sent: number[] = [];
    const batcher = createOutputBatcher((bytes) => sent.push(bytes.length), { quietMs: 4, maxBytes: 10 });
    batcher.push(Buffer.alloc(25));
    batcher.push(Buffer.alloc(6));
    batcher.push(Buffer.alloc(6));
    expect(sent).toEqual([10, 10, 5, 10, 2]);
    batcher.stop();
  });
});
