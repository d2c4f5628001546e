import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { Metrics } from '../observability/metrics.ts';
import { BallastError } from '../protocol/index.ts';
import type { App } from './route-kit.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * Whether a request may read the metrics: with the token where there is one, else from this machine alone. What a proxy
 * sends on comes from this machine only seemingly.
 */
export function mayReadMetrics(
  request: { readonly headers: IncomingHttpHeaders; readonly socket: Pick<Socket, 'remoteAddress'> },
  token: string | undefined,
): boolean {
  const { headers } = request;
  if (token !== undefined) {
    const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    return given !== undefined && timingSafeEqual(digest(given), digest(token));
  }
  const proxied = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => headers[name] !== undefined);
  const address = request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  return !proxied && (address === '::1' || address.startsWith('127.'));
}

/** GET /metrics, in the text form of Prometheus. To others than it is meant for there is nothing there. */
export function metricsRoute(
  app: App,
  options: { readonly metrics: Metrics; readonly token: string | undefined },
): void {
  app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    if (!mayReadMetrics(request.raw, options.token)) throw new BallastError('not_found');
    return reply.type(options.metrics.contentType).send(await options.metrics.text());
  });
}
