import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

const inlineScript = /<script\b(?![^>]*\ssrc\s*=)[^>]*>([\s\S]*?)<\/script>/gi;

/**
 * The Content-Security-Policy of one page: scripts from our own files, and those in the page itself by their hash.
 * Styles may be inline: the terminal and the editor set theirs from script.
 */
export function pagePolicy(html: string): string {
  const hashes = [...html.matchAll(inlineScript)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
  return [
    "default-src 'none'",
    ["script-src 'self'", ...new Set(hashes)].join(' '),
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** Policies of the pages in a folder, each worked out when it is first asked for and again when its file changes. */
export function createPagePolicies(): (file: string) => string {
  const known = new Map<string, { readonly modified: number; readonly policy: string }>();
  return (file) => {
    const { mtimeMs } = statSync(file);
    const found = known.get(file);
    if (found?.modified === mtimeMs) return found.policy;
    const policy = pagePolicy(readFileSync(file, 'utf8'));
    known.set(file, { modified: mtimeMs, policy });
    return policy;
  };
}
