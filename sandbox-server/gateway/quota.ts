import { setTimeout as delay } from 'node:timers/promises';
import { RefusedError } from './refusal.ts';

/** What one session may take. */
export interface QuotaLimits {
  /** In all. */
  readonly bytes: number;
  readonly bytesPerSecond: number;
  readonly requestsPerMinute: number;
}

/** Counts what one session takes. */
export class Quota {
  readonly #limits: QuotaLimits;
  #bytes = 0;
  #requests: number;
  #requestsAt = performance.now();
  /** When what was let through so far would be over at the allowed speed. */
  #paidUntil = performance.now();

  constructor(limits: QuotaLimits) {
    this.#limits = limits;
    this.#requests = limits.requestsPerMinute;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws RefusedError when there were too many of late */
  takeRequest(target: string): void {
    const { requestsPerMinute, bytes } = this.#limits;
    const now = performance.now();
    const regained = ((now - this.#requestsAt) / 60_000) * requestsPerMinute;
    this.#requests = Math.min(requestsPerMinute, this.#requests + regained);
    this.#requestsAt = now;
    if (this.#bytes >= bytes) throw this.#over(target);
    if (this.#requests < 1) throw new RefusedError(target, 'too many requests; wait a minute', 429);
    this.#requests -= 1;
  }

  /** Waits until as many bytes may be passed on. @throws RefusedError when that is more than the session may take */
  async pass(count: number, target: string): Promise<void> {
    this.#bytes += count;
    if (this.#bytes > this.#limits.bytes) throw this.#over(target);
    const now = performance.now();
    this.#paidUntil = Math.max(this.#paidUntil, now) + (count / this.#limits.bytesPerSecond) * 1000;
    // Timers are not exact: what is due at once is not waited for.
    if (this.#paidUntil - now > 20) await delay(this.#paidUntil - now);
  }

  #over(target: string): RefusedError {
    const megabytes = Math.round(this.#limits.bytes / 1e6);
    return new RefusedError(target, `this session has fetched its ${String(megabytes)} MB`, 429);
  }
}
