import type Docker from 'dockerode';
import type { SandboxSpec } from '../engine.ts';

/** Where the base-image store is mounted; the sandbox image's entrypoint knows it too. */
export const storeMountPoint = '/var/lib/ballast/store';
export const homeMountPoint = '/home/learner';

export const sandboxName = (session: string): string => `ballast-${session}`;
/** The volume with a session's files, history and engine data. */
export const homeVolumeName = (session: string): string => `ballast-home-${session}`;

/** Labels of everything made for one sandbox. */
export function sandboxLabels(spec: SandboxSpec): Record<string, string> {
  return {
    'ballast.kind': spec.kind,
    'ballast.session': spec.session,
    'ballast.host': spec.host,
    'ballast.store': spec.storeVolume,
  };
}

/** What must be switched off on this host for a nested engine, and what must be switched on. */
export function securityOptions(seccompProfile: string, hostOptions: readonly string[]): string[] {
  const has = (name: string): boolean => hostOptions.some((option) => option.split(',').includes(`name=${name}`));
  return [
    `seccomp=${seccompProfile}`,
    // Docker's AppArmor and SELinux profiles refuse the mounts of the nested runtime.
    ...(has('apparmor') ? ['apparmor=unconfined'] : []),
    ...(has('selinux') ? ['label=disable'] : []),
  ];
}

/**
 * The container of one sandbox, as SECURITY.md describes it: no privileges, two capabilities (to map the ids of its
 * nested user namespace), a seccomp profile, limits, no network.
 */
export function sandboxOptions(
  spec: SandboxSpec,
  host: { readonly seccompProfile: string; readonly securityOptions: readonly string[] },
): Docker.ContainerCreateOptions {
  const filling = spec.kind === 'seeder' || spec.kind === 'importer';
  const carrying = spec.kind === 'exporter' || spec.kind === 'importer';
  const labels = sandboxLabels(spec);
  const device = (path: string): object => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rwm' });
  return {
    name: sandboxName(spec.session),
    Image: spec.image,
    Hostname: spec.hostname,
    Env: Object.entries({ BALLAST_KIND: spec.kind, ...spec.env }).map(([name, value]) => `${name}=${value}`),
    Labels: labels,
    ...(carrying ? { User: 'learner', Entrypoint: ['/usr/bin/tini', '--', '/bin/sleep', 'infinity'] } : {}),
    HostConfig: {
      Privileged: false,
      CapDrop: ['ALL'],
      CapAdd: ['SETUID', 'SETGID'],
      // no-new-privileges would take away the file capabilities of newuidmap, without which there is no nested engine.
      SecurityOpt: securityOptions(host.seccompProfile, host.securityOptions),
      // The nested runtime mounts a fresh /proc, which the kernel allows only where none of it is masked.
      MaskedPaths: [],
      ReadonlyPaths: [],
      Devices: [device('/dev/net/tun'), device('/dev/fuse')],
      NetworkMode: spec.network,
      Memory: spec.limits.memoryBytes,
      // Equal to the memory limit: no swap.
      MemorySwap: spec.limits.memoryBytes,
      NanoCpus: Math.round(spec.limits.cpus * 1e9),
      PidsLimit: spec.limits.pids,
      Ulimits: [
        // A crash must feed neither the disk nor the host's crash handler.
        { Name: 'core', Soft: 0, Hard: 0 },
        // With the limit on processes this keeps a sandbox below the host's fs.file-max, which all share.
        { Name: 'nofile', Soft: 1024, Hard: 2048 },
      ],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } },
      Mounts: [
        {
          Type: 'volume',
          Source: homeVolumeName(spec.session),
          Target: homeMountPoint,
          VolumeOptions: { NoCopy: false, Labels: labels, DriverConfig: { Name: 'local', Options: {} } },
        },
        {
          Type: 'volume',
          Source: spec.storeVolume,
          Target: storeMountPoint,
          ReadOnly: !filling,
          VolumeOptions: { NoCopy: !filling, Labels: {}, DriverConfig: { Name: 'local', Options: {} } },
        },
      ],
    },
  };
}
