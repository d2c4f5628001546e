import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { BallastError } from '../protocol/index.ts';
import type { App } from './route-kit.ts';
import { createPagePolicies } from './site-policy.ts';

/** Astro puts a hash into the name of everything in here. */
const hashedFolder = '/_astro/';
const yearSeconds = 365 * 24 * 3600;

/** Headers of every answer. Those of a page (its policy) come on top. */
export const commonHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/** Answers of the API are data: nothing in them may run or be kept. */
export const apiHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'cache-control': 'no-store',
};

/**
 * Serves the built site and answers what is not there: under /api in the form of every error, elsewhere with the
 * site's own page.
 * @param siteDir folder of the built site; null to serve none
 */
export function siteRoutes(app: App, siteDir: string | null): void {
  const policyOf = createPagePolicies();
  const notFoundPage = siteDir === null ? null : join(siteDir, '404.html');

  app.setNotFoundHandler((request, reply) => {
    const wantsPage = (request.headers.accept ?? '').includes('text/html') && ['GET', 'HEAD'].includes(request.method);
    if (!request.url.startsWith('/api/') && wantsPage && notFoundPage !== null && existsSync(notFoundPage)) {
      return reply
        .code(404)
        .type('text/html; charset=utf-8')
        .header('cache-control', 'no-cache')
        .header('content-security-policy', policyOf(notFoundPage))
        .send(readFileSync(notFoundPage));
    }
    return reply
      .code(404)
      .headers(apiHeaders)
      .send({ error: new BallastError('not_found').toBody() });
  });

  if (siteDir === null) return;
  void app.register(fastifyStatic, {
    root: siteDir,
    redirect: true,
    dotfiles: 'ignore',
    index: ['index.html'],
    cacheControl: false,
    setHeaders(reply, path) {
      const hashed = path.slice(siteDir.length).replaceAll('\\', '/').startsWith(hashedFolder);
      reply.header('cache-control', hashed ? `public, max-age=${String(yearSeconds)}, immutable` : 'no-cache');
      if (path.endsWith('.html')) reply.header('content-security-policy', policyOf(path));
    },
  });
}
