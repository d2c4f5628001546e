import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { podmanAllows } from './seccomp-base.ts';

const condition = z.strictObject({
  index: z.number(),
  value: z.number(),
  valueTwo: z.number().optional(),
  op: z.enum(['SCMP_CMP_EQ', 'SCMP_CMP_NE']),
});
const profile = z
  .object({
    defaultAction: z.string(),
    syscalls: z.array(
      z.strictObject({
        comment: z.string().optional(),
        names: z.array(z.string()),
        action: z.enum(['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO']),
        errnoRet: z.number().optional(),
        args: z.array(condition).optional(),
        includes: z.strictObject({ arches: z.array(z.string()) }).optional(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../sandbox-image/seccomp.json', import.meta.url), 'utf8')));

const allowing = profile.syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW');
const allowedToAll = allowing
  .filter(({ args, includes }) => args === undefined && includes === undefined)
  .flatMap(({ names }) => names);

/** Each rule that differs from Podman's, and why. A system call more than these makes the profile looser: think twice. */
const added: Readonly<Record<string, string>> = {
  sethostname: 'the nested runtime names its containers, in a UTS namespace of their own',
  setdomainname: 'the same',
  chroot: "programs in a learner's containers may expect it; the kernel asks for the capability in the namespace",
};
const removed: Readonly<Record<string, string>> = {
  keyctl: 'the quota of keys is one for all sandboxes: they are the same user of the host',
  fallocate: 'would take a whole disk in an instant; allowed to punch holes, below',
};

/** What is allowed under a condition, in words. */
const conditional = [
  'arch_prctl on amd64, x32',
  'arm_fadvise64_64 on arm, arm64',
  'arm_sync_file_range on arm, arm64',
  'breakpoint on arm, arm64',
  'cacheflush on arm, arm64',
  'fallocate when argument 1 = 3',
  'modify_ldt on amd64, x32, x86',
  'personality when argument 0 = 0',
  'personality when argument 0 = 131072',
  'personality when argument 0 = 131080',
  'personality when argument 0 = 4294967295',
  'personality when argument 0 = 8',
  'riscv_flush_icache on riscv64',
  's390_pci_mmio_read on s390, s390x',
  's390_pci_mmio_write on s390, s390x',
  's390_runtime_instr on s390, s390x',
  'set_tls on arm, arm64',
  'socket when argument 0 ≠ 16',
  'socket when argument 2 ≠ 9',
  'swapcontext on ppc64le',
  'sync_file_range2 on arm, arm64',
  'sync_file_range2 on ppc64le',
];

describe('the seccomp profile', () => {
  it('refuses what it does not name', () => {
    expect(profile.defaultAction).toBe('SCMP_ACT_ERRNO');
  });

  it("allows to all just what Podman's does, but for the differences that have a reason", () => {
    const expected = [...podmanAllows.filter((name) => !(name in removed)), ...Object.keys(added)];
    expect([...allowedToAll].sort()).toEqual(expected.sort());
  });

  it('allows under conditions just these', () => {
    const described = allowing.flatMap(({ names, args, includes }) => {
      if (args === undefined && includes === undefined) return [];
      const when = (args ?? []).map(
        ({ index, op, value }) =>
          ` when argument ${String(index)} ${op === 'SCMP_CMP_EQ' ? '=' : '≠'} ${String(value)}`,
      );
      const on = includes === undefined ? '' : ` on ${includes.arches.join(', ')}`;
      return names.map((name) => `${name}${when.join('')}${on}`);
    });
    expect(described.sort()).toEqual(conditional);
  });

  it('says why at each rule that differs', () => {
    const comments = profile.syscalls.flatMap(({ comment }) => comment ?? []).join(' ');
    for (const name of [...Object.keys(added), 'fallocate', 'io_uring', 'userfaultfd', 'Keys', 'NETLINK_AUDIT']) {
      expect(comments).toContain(name);
    }
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
    'add_key',
    'keyctl',
    'request_key',
  ])('keeps %s out', (name) => {
    expect(allowing.flatMap(({ names }) => names)).not.toContain(name);
  });

  it.each(['clone', 'clone3', 'unshare', 'mount', 'pivot_root', 'setns'])('lets the nested runtime use %s', (name) => {
    expect(allowedToAll).toContain(name);
  });
});
