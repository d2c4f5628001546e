import type { IncomingHttpHeaders } from 'node:http';

/** Addresses that hold a version or a digest: by the rules of the registry's own protocol they never answer otherwise. */
const lasting: readonly RegExp[] = [
  // Go: module proxies, and the tiles and records of checksum databases.
  /\/@v\/v[^/]+\.(info|mod|zip)$/,
  /\/(tile\/\d+\/\d+\/|lookup\/[^/]+.*@v)[^?]*$/,
  // Python, npm and cargo: a released file is never replaced under its name.
  /\.whl(\.metadata)?$/,
  /\/-\/[^/]+-\d[^/]*\.tgz$/,
  /(\.crate|\/crates\/[^/]+\/[^/]+\/download)$/,
  // rustup: what a toolchain is made of, by the day of its release.
  /\/dist\/\d{4}-\d{2}-\d{2}\/[^/]+\.tar\.(gz|xz|zst)$/,
  // Maven releases; snapshots are replaced.
  /^(?!.*-SNAPSHOT).*\/\d[^/]*\/[^/]+\.(jar|pom|module)(\.sha1|\.md5|\.sha256|\.sha512)?$/,
  // Debian packages, and lists of them by their digest.
  /(\.deb|\/by-hash\/[A-Za-z0-9]+\/[0-9a-f]+)$/,
];

const lastingSeconds = 30 * 24 * 3600;

/** Headers of an answer with a word on how long it may be kept, where the registry says none and its protocol does. */
export function withFreshness(url: URL, headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const says = ['cache-control', 'expires', 'pragma'].some((name) => headers[name] !== undefined);
  if (says || !lasting.some((path) => path.test(url.pathname))) return headers;
  return { ...headers, 'cache-control': `public, max-age=${String(lastingSeconds)}, immutable` };
}
