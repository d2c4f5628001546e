import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const profile = z
  .object({
    defaultAction: z.string(),
    syscalls: z.array(z.object({ names: z.array(z.string()), action: z.string(), args: z.unknown().optional() })),
  })
  .parse(JSON.parse(readFileSync(new URL('../../sandbox-image/seccomp.json', import.meta.url), 'utf8')));

const allowed = new Set(
  profile.syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ names }) => names),
);

describe('the seccomp profile', () => {
  it('refuses what it does not name', () => {
    expect(profile.defaultAction).toBe('SCMP_ACT_ERRNO');
  });

  it.each([
    'bpf',
    'perf_event_open',
    'io_uring_setup',
    'io_uring_enter',
    'io_uring_register',
    'userfaultfd',
    'kexec_load',
    'init_module',
    'open_by_handle_at',
  ])('keeps %s out', (name) => {
    expect(allowed.has(name)).toBe(false);
  });

  it.each(['clone', 'clone3', 'unshare', 'mount', 'pivot_root', 'setns', 'sethostname', 'setdomainname'])(
    'lets the nested runtime use %s',
    (name) => {
      expect(allowed.has(name)).toBe(true);
    },
  );
});
