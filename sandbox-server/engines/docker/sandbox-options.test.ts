import { describe, expect, it } from 'vitest';
import type { SandboxSpec } from '../engine.ts';
import { sandboxOptions, securityOptions } from './sandbox-options.ts';

const spec: SandboxSpec = {
  session: 'abcdefghij0123456789',
  kind: 'sandbox',
  host: 'server',
  image: 'ballast/sandbox:1',
  storeVolume: 'store',
  limits: { memoryBytes: 1000, cpus: 0.5, pids: 100 },
  network: 'none',
  hostname: 'sandbox',
  env: { A: 'b=c' },
};

describe('sandboxOptions', () => {
  it('drops what is not needed', () => {
    const { HostConfig, Env } = sandboxOptions(spec, { seccompProfile: '{}', securityOptions: [] });
    expect(HostConfig).toMatchObject({
      Privileged: false,
      CapDrop: ['ALL'],
      CapAdd: ['SETUID', 'SETGID'],
      NetworkMode: 'none',
      Memory: 1000,
      MemorySwap: 1000,
      NanoCpus: 500_000_000,
      PidsLimit: 100,
      SecurityOpt: ['seccomp={}'],
    });
    expect(Env).toEqual(['BALLAST_KIND=sandbox', 'A=b=c']);
  });

  it('gives the store for reading, and for writing to a seeder alone', () => {
    const storeOf = (kind: SandboxSpec['kind']): unknown =>
      sandboxOptions({ ...spec, kind }, { seccompProfile: '{}', securityOptions: [] }).HostConfig?.Mounts?.[1];
    expect(storeOf('sandbox')).toMatchObject({ Source: 'store', ReadOnly: true });
    expect(storeOf('grader')).toMatchObject({ ReadOnly: true });
    expect(storeOf('seeder')).toMatchObject({ ReadOnly: false });
  });
});

describe('securityOptions', () => {
  it('switches off only what the host has', () => {
    expect(securityOptions('p', ['name=seccomp,profile=default'])).toEqual(['seccomp=p']);
    expect(securityOptions('p', ['name=apparmor', 'name=seccomp,profile=builtin'])).toEqual([
      'seccomp=p',
      'apparmor=unconfined',
    ]);
    expect(securityOptions('p', ['name=selinux'])).toEqual(['seccomp=p', 'label=disable']);
  });
});
