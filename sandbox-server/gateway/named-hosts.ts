import { gunzipSync, brotliDecompressSync, inflateSync } from 'node:zlib';
import { z } from 'zod';
import type { IndexKind } from './allow-list.ts';

/** A longer answer names no hosts: it would take too long to read. */
export const maxIndexBytes = 24 * 1024 * 1024;

const simpleIndex = z.object({ files: z.array(z.object({ url: z.string() })) });
const packument = z.object({
  versions: z.record(z.string(), z.object({ dist: z.object({ tarball: z.string() }) })),
});
const cargoConfig = z.object({ dl: z.string() });

/** Whether an answer of such a registry can name hosts: then it is read before it is passed on. */
export function mayNameHosts(kind: IndexKind | null, url: URL, contentType: string): boolean {
  if (kind === 'pypi') return /^(text\/html|application\/vnd\.pypi\.simple\.)/.test(contentType);
  if (kind === 'npm') return /^application\/(vnd\.npm\.install-v1\+)?json/.test(contentType);
  return kind === 'cargo' && url.pathname.endsWith('/config.json');
}

function decode(body: Buffer, encoding: string): Buffer {
  const limit = { maxOutputLength: maxIndexBytes };
  if (encoding === 'gzip' || encoding === 'x-gzip') return gunzipSync(body, limit);
  if (encoding === 'br') return brotliDecompressSync(body, limit);
  return encoding === 'deflate' ? inflateSync(body, limit) : body;
}

function urlsOf(kind: IndexKind, contentType: string, text: string): readonly string[] {
  if (kind === 'pypi' && contentType.includes('html')) {
    return [...text.matchAll(/<a\b[^>]*\bhref\s*=\s*["']([^"'#]+)/gi)].flatMap(([, href]) => href ?? []);
  }
  const json: unknown = JSON.parse(text);
  if (kind === 'pypi') return simpleIndex.safeParse(json).data?.files.map(({ url }) => url) ?? [];
  if (kind === 'cargo') return [cargoConfig.safeParse(json).data?.dl.replace(/\{.*$/, '') ?? ''];
  return Object.values(packument.safeParse(json).data?.versions ?? {}).map(({ dist }) => dist.tarball);
}

/**
 * The origins on which a registry's index says that its files are. Only what the protocol of the registry means by that
 * counts: a package's own words, such as its home page, name nothing.
 * @param url of the index: addresses in it may be relative
 */
export function namedOrigins(
  kind: IndexKind,
  url: URL,
  answer: { readonly contentType: string; readonly contentEncoding: string; readonly body: Buffer },
): readonly string[] {
  try {
    const text = decode(answer.body, answer.contentEncoding).toString('utf8');
    const origins = new Set<string>();
    for (const named of urlsOf(kind, answer.contentType, text)) {
      const file = URL.parse(named.replaceAll('&amp;', '&'), url);
      if (file !== null && /^https?:$/.test(file.protocol) && file.origin !== url.origin) origins.add(file.origin);
    }
    return [...origins];
  } catch {
    // No index after all, or a broken one: its client will say so.
    return [];
  }
}
