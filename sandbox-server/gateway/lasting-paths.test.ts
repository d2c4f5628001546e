import { expect, it } from 'vitest';
import { withFreshness } from './lasting-paths.ts';

const kept = (path: string, headers = {}): boolean =>
  withFreshness(new URL(path, 'https://registry.test'), headers)['cache-control']?.includes('immutable') === true;

it.each([
  '/example.com/m/@v/v1.2.3.zip',
  '/sumdb/sum.test/tile/8/0/x001/234',
  '/packages/aa/bb/thing-1.0-py3-none-any.whl',
  '/@scope/thing/-/thing-1.0.0.tgz',
  '/crates/itoa/itoa-1.0.0.crate',
  '/crates/itoa/1.0.0/download',
  '/dist/2025-03-18/rust-std-1.85.1-x86_64-unknown-linux-musl.tar.xz',
  '/maven2/org/thing/1.0/thing-1.0.jar',
  '/debian/pool/main/h/hello/hello_2.10-5_amd64.deb',
  '/debian/dists/trixie/main/binary-amd64/by-hash/SHA256/0123456789abcdef',
])('%s never changes', (path) => {
  expect(kept(path)).toBe(true);
  // What the registry says comes first.
  expect(kept(path, { 'cache-control': 'no-store' })).toBe(false);
});

it.each([
  '/example.com/m/@v/list',
  '/example.com/m/@latest',
  '/simple/thing/',
  '/thing',
  '/dist/channel-rust-1.85.toml',
  '/dist/rust-std-nightly-x86_64-unknown-linux-musl.tar.xz',
  '/maven2/org/thing/1.0-SNAPSHOT/thing-1.0-SNAPSHOT.jar',
  '/maven2/org/thing/maven-metadata.xml',
  '/debian/dists/trixie/InRelease',
])('%s may change', (path) => {
  expect(kept(path)).toBe(false);
});
