import { expect, test } from 'vitest';
import { pagePolicy } from './site-policy.ts';

test('inline scripts are allowed by hash, never at large', () => {
  const policy = pagePolicy(
    '<script src="/a.js"></script><script type="module">alert(1)</script><script>alert(1)</script>',
  );
  // printf 'alert(1)' | openssl dgst -sha256 -binary | base64
  expect(policy).toContain("script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=';");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toContain("connect-src 'self'");
  expect(/script-src[^;]*unsafe/.test(policy)).toBe(false);
});
