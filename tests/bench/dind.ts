import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { execProgram } from '../../sandbox-server/engines/docker/exec.ts';
import { logLines } from '../../sandbox-server/engines/docker/log-lines.ts';
import { openExecLine, untilShown } from './lines.ts';

/** Capabilities by their number in the kernel (linux/capability.h). */
const capabilities = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');

/**
 * What docker:dind's own start does, with the images brought in at once. "$@" are the images; BENCH_FROM is a folder
 * with a tar of them, or a registry.
 */
const startScript = `
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mount -o remount,rw /sys/fs/cgroup
  mkdir -p /sys/fs/cgroup/init
  xargs -rn1 < /sys/fs/cgroup/cgroup.procs > /sys/fs/cgroup/init/cgroup.procs || true
  sed -e 's/ / +/g' -e 's/^/+/' < /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
else
  for group in /sys/fs/cgroup/*; do mount -o remount,bind,rw "$group"; done
fi 2> /dev/null
dockerd --log-level warn \${BENCH_REGISTRY:+--insecure-registry=$BENCH_REGISTRY} > /var/log/dockerd.log 2>&1 &
until curl -sf -o /dev/null --unix-socket /var/run/docker.sock http://localhost/_ping; do
  kill -0 $! || { cat /var/log/dockerd.log; exit 1; }
  sleep 0.02
done
if [ -n "$BENCH_TAR" ]; then
  docker load -q -i "$BENCH_TAR" || exit 1
else
  for ref in "$@"; do
    { docker pull -q "$BENCH_REGISTRY/$ref" && docker tag "$BENCH_REGISTRY/$ref" "$ref" && docker rmi --no-prune "$BENCH_REGISTRY/$ref" || echo 'bench: failed'; } &
    pulls+=($!)
  done
  wait "\${pulls[@]}"
fi
echo 'bench: ready'
wait
`;

/** The types of dockerode do not know all that the engine takes. */
export type Powers = Docker.HostConfig & { readonly CgroupnsMode?: 'private' };

/** Where its images come from; the registry is one that it may talk to without TLS. */
export type ImageSource = { readonly tar: string; readonly registry?: string } | { readonly registry: string };

export interface DindOptions {
  readonly docker: Docker;
  /** An image with the same engine as a sandbox has. */
  readonly image: string;
  readonly refs: readonly string[];
  /** Label ballast.host of all that is made. */
  readonly hostId: string;
}

/** The powers that this machine can give a container, at the most: all of them where it can. */
export async function findPowers({ docker, image, hostId }: DindOptions): Promise<Powers> {
  const bounding = BigInt(`0x${/^CapBnd:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
  let granted = capabilities.filter((_name, number) => (bounding >> BigInt(number)) & 1n);
  const powersOf = (): Powers => ({
    CapAdd: granted,
    CgroupnsMode: 'private',
    SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined', 'label=disable'],
    MaskedPaths: [],
    ReadonlyPaths: [],
    DeviceCgroupRules: ['a *:* rwm'],
  });
  const works = async (powers: Powers): Promise<string | null> => {
    const container = await docker
      .createContainer({ Image: image, Entrypoint: ['/bin/true'], Labels: labelsOf(hostId), HostConfig: powers })
      .catch((error: unknown) => String(error));
    if (typeof container === 'string') return container;
    return container
      .start()
      .then(
        () => null,
        (error: unknown) => String(error),
      )
      .finally(() => container.remove({ force: true }));
  };
  if ((await works({ Privileged: true })) === null) return { Privileged: true };
  for (;;) {
    const refusal = await works(powersOf());
    if (refusal === null) return powersOf();
    const unknown = /unknown capability: "?(?:CAP_)?(\w+)/i.exec(refusal)?.[1];
    if (unknown === undefined) throw new Error(`No container with the machine's powers can be started: ${refusal}`);
    granted = granted.filter((name) => name !== unknown);
  }
}

const labelsOf = (hostId: string): Record<string, string> => ({ 'ballast.kind': 'bench', 'ballast.host': hostId });

/** A sandbox as others make it: a Docker Engine as root in a container that may do all that this machine grants. */
export class DindSandbox implements AsyncDisposable {
  readonly #options: DindOptions;
  readonly #container: Docker.Container;
  readonly #volume: string;
  readonly id: string;

  private constructor(options: DindOptions, container: Docker.Container, volume: string) {
    this.#options = options;
    this.#container = container;
    this.#volume = volume;
    this.id = container.id;
  }

  /** Starts it; it is not ready yet. */
  static async create(
    options: DindOptions & { readonly powers: Powers; readonly name: string; readonly from: ImageSource },
  ): Promise<DindSandbox> {
    const { docker, image, refs, hostId, powers, name, from } = options;
    const Labels = labelsOf(hostId);
    const env = [
      ...('tar' in from ? [`BENCH_TAR=/bench/${basename(from.tar)}`] : []),
      ...(from.registry === undefined ? [] : [`BENCH_REGISTRY=${from.registry}`]),
    ];
    await docker.createVolume({ Name: name, Labels });
    const container = await docker.createContainer({
      name,
      Image: image,
      User: 'root',
      WorkingDir: '/root',
      Entrypoint: ['/bin/bash', '-c', startScript, 'bench-dind', ...refs],
      Env: ['DOCKER_HOST=unix:///var/run/docker.sock', 'HOME=/root', ...env],
      Labels,
      HostConfig: {
        ...powers,
        Binds: [`${name}:/var/lib/docker`, ...('tar' in from ? [`${dirname(from.tar)}:/bench:ro`] : [])],
      },
    });
    const sandbox = new DindSandbox(options, container, name);
    try {
      await container.start();
    } catch (error) {
      await sandbox[Symbol.asyncDispose]();
      throw error;
    }
    return sandbox;
  }

  /** Waits until its engine has all images. @throws when it ends before */
  async untilReady(): Promise<void> {
    const log = await this.#container.logs({ follow: true, stdout: true, stderr: true });
    const source = log as NodeJS.ReadableStream & { destroy(): void };
    const said: string[] = [];
    try {
      for await (const line of logLines(source)) {
        said.push(line);
        if (line === 'bench: failed') break;
        if (line === 'bench: ready') return;
      }
    } finally {
      source.destroy();
    }
    throw new Error(`Docker-in-Docker did not start:\n${said.slice(-20).join('\n')}`);
  }

  /** Opens a shell, waits for its prompt, and closes it again. @returns when the prompt was there (performance.now()) */
  async prompt(): Promise<number> {
    const line = await openExecLine(this.#options.docker, this.id, { user: 'root', cwd: '/root' });
    await untilShown(line, /[$#] $/);
    const at = performance.now();
    await line.close();
    return at;
  }

  /** Runs a program as root. @throws when it fails */
  async command(...argv: string[]): Promise<string> {
    return runIn(this.#options.docker, this.id, 'root', argv);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#container.remove({ force: true, v: true }).catch(() => undefined);
    await this.#options.docker.getVolume(this.#volume).remove({ force: true });
  }
}

/** Runs a program in a container to its end. @throws with what it says when it fails */
export async function runIn(
  docker: Docker,
  containerId: string,
  user: 'learner' | 'root',
  argv: readonly string[],
  input?: Buffer,
): Promise<string> {
  const cwd = user === 'root' ? '/root' : '/home/learner';
  const exec = await execProgram(docker, containerId, { argv, user, cwd });
  exec.stdin.end(input ?? '');
  const [out, err] = await Promise.all([text(exec.stdout), text(exec.stderr)]);
  const code = await exec.exitCode();
  if (code !== 0)
    throw new Error(`${argv[0] ?? ''} in a container ended with exit code ${String(code)}: ${err.slice(-1000)}`);
  return out;
}
