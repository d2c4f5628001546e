import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { sessionState } from '../protocol/index.ts';

/** What is counted at the moment that somebody asks. */
export interface Levels {
  /** State of each session there is. */
  states(): Iterable<string>;
  /** Sandboxes that wait in the pool. */
  pooled(): number;
  /** Open views of terminals. */
  terminals(): number;
}

/** What is counted as it happens. */
export interface Metrics {
  readonly sessionStarted: (start: { readonly warm: boolean; readonly ms: number }) => void;
  readonly terminalBytes: (direction: 'in' | 'out', bytes: number) => void;
  readonly checkDone: (status: string) => void;
  /** Media type of `text`. */
  readonly contentType: string;
  /** All metrics in the text form of Prometheus. */
  text(): Promise<string>;
}

/** Metrics of one server: its own, and those of its process (memory, event loop, descriptors). */
export function createMetrics(levels: Levels): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'ballast_sessions',
    help: 'Sessions by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of sessionState.options) this.set({ state }, 0);
      for (const state of levels.states()) this.inc({ state });
    },
  });
  new Gauge({
    name: 'ballast_pool_ready',
    help: 'Sandboxes that wait for a session.',
    registers,
    collect() {
      this.set(levels.pooled());
    },
  });
  new Gauge({
    name: 'ballast_terminal_views',
    help: 'Open views of terminals.',
    registers,
    collect() {
      this.set(levels.terminals());
    },
  });
  const starts = new Histogram({
    name: 'ballast_session_start_seconds',
    help: 'From a session getting its turn to its sandbox being ready, from the pool (warm) or not (cold).',
    labelNames: ['from'],
    buckets: [0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60],
    registers,
  });
  const bytes = new Counter({
    name: 'ballast_terminal_bytes_total',
    help: 'Bytes to (in) and from (out) terminals.',
    labelNames: ['direction'],
    registers,
  });
  const checks = new Counter({
    name: 'ballast_checks_total',
    help: 'Checks by outcome.',
    labelNames: ['status'],
    registers,
  });
  return {
    sessionStarted({ warm, ms }) {
      starts.observe({ from: warm ? 'warm' : 'cold' }, ms / 1000);
    },
    terminalBytes(direction, count) {
      bytes.inc({ direction }, count);
    },
    checkDone(status) {
      checks.inc({ status });
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
