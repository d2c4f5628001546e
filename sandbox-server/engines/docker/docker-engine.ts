import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { z } from 'zod';
import { BallastError } from '../../protocol/index.ts';
import type {
  DiskRoom,
  DiskUse,
  Engine,
  EngineImage,
  EngineInfo,
  NamedImage,
  ExecSpec,
  Progress,
  ResourceUse,
  PullOptions,
  RunningExec,
  SandboxRecord,
  SandboxSpec,
  TerminalExec,
} from '../engine.ts';
import { diskRoomOf, toDiskUse } from './disk.ts';
import { engineCall, engineLookup, isConflict, isNotFound, toBallastError } from './errors.ts';
import { execOnTerminal, execProgram } from './exec.ts';
import { logLines, logText } from './log-lines.ts';
import { followProgress } from './progress.ts';
import { toResourceUse } from './resource-use.ts';
import { homeVolumeName, sandboxLabels, sandboxOptions } from './sandbox-options.ts';

type Labels = Readonly<Record<string, string>>;

const infoShape = z.object({
  NCPU: z.number(),
  MemTotal: z.number(),
  Driver: z.string(),
  CgroupVersion: z.enum(['1', '2']).catch('1'),
  DockerRootDir: z.string(),
  SecurityOptions: z.array(z.string()).nullish(),
});
const versionShape = z.object({ Version: z.string(), ApiVersion: z.string(), Arch: z.string() });
const sandboxKind = z.enum(['sandbox', 'grader', 'seeder', 'exporter', 'importer']);

/** As the Docker API spells it in its header. */
interface RegistryToken {
  readonly registrytoken: string;
}

const labelFilter = (labels: Labels): { label: string[] } => ({
  label: Object.entries(labels).map(([name, value]) => `${name}=${value}`),
});

function toRecord(id: string, labels: Labels, running: boolean, createdAt: Date): SandboxRecord | null {
  const kind = sandboxKind.safeParse(labels['ballast.kind']);
  const session = labels['ballast.session'];
  if (!kind.success || session === undefined) return null;
  return { id, session, kind: kind.data, running, createdAt, storeVolume: labels['ballast.store'] ?? '' };
}

/** Go writes an empty map or list as null, whatever the types say. */
const nullable = <Value>(value: Value): Value | null => value;

/** The Docker Engine as an Engine. Made by `connectDocker`. */
export class DockerEngine implements Engine {
  readonly driver = 'docker';
  readonly #docker: Docker;
  readonly #seccompProfile: string;
  readonly #endpoint: string;
  #securityOptions: readonly string[] | null = null;
  #rootDir: string | null = null;

  constructor(docker: Docker, options: { seccompProfile: string; endpoint: string }) {
    this.#docker = docker;
    this.#seccompProfile = options.seccompProfile;
    this.#endpoint = options.endpoint;
  }

  async info(): Promise<EngineInfo> {
    return engineCall(`ask the Docker Engine at ${this.#endpoint}`, async () => {
      const [info, version] = await Promise.all([this.#docker.info() as Promise<unknown>, this.#docker.version()]);
      const host = infoShape.parse(info);
      const { Version, ApiVersion, Arch } = versionShape.parse(version);
      return {
        version: Version,
        apiVersion: ApiVersion,
        architecture: Arch,
        cpus: host.NCPU,
        memoryBytes: host.MemTotal,
        storageDriver: host.Driver,
        cgroupVersion: host.CgroupVersion,
        rootDir: host.DockerRootDir,
        securityOptions: host.SecurityOptions ?? [],
      };
    });
  }

  async findImage(ref: string): Promise<EngineImage | null> {
    const image = await engineLookup(`look for the image ${ref}`, () => this.#docker.getImage(ref).inspect());
    // `Config` and its labels are missing from an image that has none, whatever the types say.
    const config = image?.Config as { Labels?: Record<string, string> | null } | null | undefined;
    return image === null ? null : { id: image.Id, labels: config?.Labels ?? {} };
  }

  async pullImage(ref: string, onProgress: Progress, options: PullOptions = {}): Promise<void> {
    const { from = ref, credentials, signal } = options;
    const doing = from === ref ? `pull ${ref}` : `pull ${ref} from ${from}`;
    // Not as a part of the options, which go into the request's address, and from there into logs.
    const header: Docker.AuthConfig | RegistryToken | undefined =
      credentials === undefined || 'registryToken' in credentials
        ? credentials && { registrytoken: credentials.registryToken }
        : { ...credentials, serveraddress: from.split('/')[0] ?? '' };
    const stream = await engineCall(doing, () =>
      this.#docker.createImage(header, { fromImage: from, ...(signal === undefined ? {} : { abortSignal: signal }) }),
    );
    await followProgress(stream, doing, onProgress);
    if (from === ref) return;
    await this.tagImage(from, ref);
    await engineCall(`forget the name ${from}`, () => this.#docker.getImage(from).remove({ noprune: true }));
  }

  async importImage(ref: string, rootfs: Readable, labels: Labels): Promise<void> {
    const doing = `import the image ${ref}`;
    const colon = ref.lastIndexOf(':');
    const changes = Object.entries(labels).map(([name, value]) => `LABEL ${name}=${JSON.stringify(value)}`);
    const stream = await engineCall(doing, () =>
      this.#docker.importImage(rootfs, { repo: ref.slice(0, colon), tag: ref.slice(colon + 1), changes }),
    );
    await followProgress(stream, doing, () => undefined);
  }

  async buildImage(
    ref: string,
    context: Readable,
    options: { labels: Labels; buildArgs: Readonly<Record<string, string>>; onProgress: Progress },
  ): Promise<void> {
    const doing = `build the image ${ref}`;
    const stream = await engineCall(doing, () =>
      this.#docker.buildImage(context, {
        t: ref,
        labels: { ...options.labels },
        buildargs: { ...options.buildArgs },
        rm: true,
        forcerm: true,
        // The classic builder is in every engine from 20.10 on and needs no session with the client.
        version: '1',
      }),
    );
    await followProgress(stream, doing, options.onProgress);
  }

  async tagImage(ref: string, name: string): Promise<void> {
    const colon = name.lastIndexOf(':');
    await engineCall(`name the image ${ref}`, () =>
      this.#docker.getImage(ref).tag({ repo: name.slice(0, colon), tag: name.slice(colon + 1) }),
    );
  }

  async listImages(labels: Labels): Promise<readonly NamedImage[]> {
    const filters = JSON.stringify(labelFilter(labels));
    const found = await engineCall('list the images', () => this.#docker.listImages({ filters }));
    const named: NamedImage[] = [];
    for (const { Id, RepoTags } of found) {
      const image = await engineLookup('look at an image', () => this.#docker.getImage(Id).inspect());
      const time = Date.parse((image as { Metadata?: { LastTagTime?: string } } | null)?.Metadata?.LastTagTime ?? '');
      const lastTagged = time > 0 ? new Date(time) : null;
      for (const ref of nullable(RepoTags) ?? []) named.push({ ref, lastTagged });
    }
    return named;
  }

  async removeImage(ref: string): Promise<void> {
    await engineLookup(`remove the image ${ref}`, () => this.#docker.getImage(ref).remove());
  }

  async saveImage(ref: string): Promise<Readable> {
    // The engine answers the same to "no such image" as to trouble of its own.
    if ((await this.findImage(ref)) === null) {
      throw new BallastError('image_not_found', { message: `There is no image "${ref}" in the Docker Engine.` });
    }
    const stream = await engineCall(`save the image ${ref}`, () => this.#docker.getImage(ref).get());
    return stream instanceof Readable ? stream : new Readable().wrap(stream);
  }

  async loadImage(archive: Readable): Promise<void> {
    const doing = 'load an image';
    // Should the archive break off, so must the request: the engine would wait for the rest of it.
    const request = new AbortController();
    archive.once('error', (error) => {
      request.abort(error);
    });
    const stream = await engineCall(doing, () =>
      this.#docker.loadImage(archive, { quiet: true, abortSignal: request.signal }),
    );
    await followProgress(stream, doing, () => undefined);
  }

  async createVolume(name: string, labels: Labels): Promise<void> {
    await engineCall(`create the volume ${name}`, () =>
      this.#docker.createVolume({ Name: name, Labels: { ...labels } }),
    );
  }

  async volumeLabels(name: string): Promise<Labels | null> {
    const volume = await engineLookup(`look for the volume ${name}`, () => this.#docker.getVolume(name).inspect());
    return volume === null ? null : (nullable(volume.Labels) ?? {});
  }

  async listVolumes(labels: Labels): Promise<readonly string[]> {
    const filters = JSON.stringify(labelFilter(labels));
    const answer = await engineCall('list the volumes', () => this.#docker.listVolumes({ filters }));
    return ((answer.Volumes as { Name: string }[] | null) ?? []).map(({ Name }) => Name);
  }

  async removeVolume(name: string): Promise<void> {
    await engineLookup(`remove the volume ${name}`, () => this.#docker.getVolume(name).remove());
  }

  async createSandbox(spec: SandboxSpec): Promise<string> {
    this.#securityOptions ??= (await this.info()).securityOptions;
    const options = sandboxOptions(spec, {
      seccompProfile: this.#seccompProfile,
      securityOptions: this.#securityOptions,
    });
    const volume = homeVolumeName(spec.session);
    const hadVolume = (await this.volumeLabels(volume)) !== null;
    if (!hadVolume) await this.createVolume(volume, sandboxLabels(spec));
    let container: Docker.Container | null = null;
    try {
      container = await this.#docker.createContainer(options);
      await container.start();
      return container.id;
    } catch (cause) {
      // A half-made sandbox must not stay: nobody would know its id.
      await container?.remove({ force: true }).catch(() => undefined);
      if (!hadVolume) await this.removeVolume(volume).catch(() => undefined);
      // Before there is a container, all that can be in the way is its name.
      if (container === null && isConflict(cause)) throw new BallastError('sandbox_exists', { cause });
      throw toBallastError(cause, 'create the sandbox');
    }
  }

  async listSandboxes(labels: Labels): Promise<readonly SandboxRecord[]> {
    const filters = { label: ['ballast.session', ...labelFilter(labels).label] };
    const containers = await engineCall('list the sandboxes', () =>
      this.#docker.listContainers({ all: true, filters }),
    );
    return containers
      .map(({ Id, Labels, State, Created }) => toRecord(Id, Labels, State === 'running', new Date(Created * 1000)))
      .filter((record) => record !== null);
  }

  async inspectSandbox(id: string): Promise<SandboxRecord | null> {
    const found = await engineLookup('inspect the sandbox', () => this.#docker.getContainer(id).inspect());
    return found === null
      ? null
      : toRecord(found.Id, found.Config.Labels, found.State.Running, new Date(found.Created));
  }

  async *followLog(
    id: string,
    signal: AbortSignal,
    { from }: { readonly from: 'start' | 'now' } = { from: 'start' },
  ): AsyncGenerator<string> {
    const tail = from === 'now' ? { tail: 0 } : {};
    const stream = await engineCall('read the log of the sandbox', () =>
      this.#docker.getContainer(id).logs({ follow: true, stdout: true, stderr: true, ...tail }),
    );
    const source = stream as NodeJS.ReadableStream & { destroy(): void };
    const stop = (): void => {
      source.destroy();
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      yield* logLines(source);
    } catch (cause) {
      if (!signal.aborted) throw toBallastError(cause, 'read the log of the sandbox');
    } finally {
      signal.removeEventListener('abort', stop);
      source.destroy();
    }
  }

  async tailLog(id: string, lines: number): Promise<string> {
    const log = await engineCall('read the log of the sandbox', () =>
      this.#docker.getContainer(id).logs({ follow: false, stdout: true, stderr: true, tail: lines }),
    );
    return logText(log);
  }

  async removeSandbox(id: string, options: { readonly keepData?: boolean } = {}): Promise<void> {
    const record = await this.inspectSandbox(id);
    if (record === null) return;
    try {
      await this.#docker.getContainer(record.id).remove({ force: true });
    } catch (cause) {
      // 409: another call is removing it at this moment.
      const removing = isConflict(cause);
      if (!isNotFound(cause) && !removing) throw toBallastError(cause, 'remove the sandbox');
      if (removing)
        await this.#docker
          .getContainer(record.id)
          .wait({ condition: 'removed' })
          .catch(() => undefined);
    }
    if (options.keepData !== true) await this.removeVolume(homeVolumeName(record.session));
  }

  async diskUse(): Promise<DiskUse> {
    return engineCall('ask what the disk is used for', async () => toDiskUse(await this.#docker.df()));
  }

  async diskRoom(): Promise<DiskRoom | null> {
    // A socket's path: anything else may be another machine, where our own folders say nothing.
    if (!this.#endpoint.startsWith('/')) return null;
    this.#rootDir ??= (await this.info()).rootDir;
    return diskRoomOf(this.#rootDir);
  }

  async resourceUse(id: string): Promise<ResourceUse> {
    // One-shot: else the engine waits for a second measurement.
    const query = { stream: false, 'one-shot': true } as const;
    return toResourceUse(
      await engineCall("ask for the sandbox's use", () => this.#docker.getContainer(id).stats(query)),
    );
  }

  async exec(id: string, spec: ExecSpec): Promise<RunningExec> {
    return execProgram(this.#docker, id, spec);
  }

  async execTerminal(id: string, spec: ExecSpec, size: { cols: number; rows: number }): Promise<TerminalExec> {
    return execOnTerminal(this.#docker, id, spec, size);
  }
}
