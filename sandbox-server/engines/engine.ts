import type { Duplex, Readable } from 'node:stream';

/** What an engine says of itself. */
export interface EngineInfo {
  readonly version: string;
  readonly apiVersion: string;
  /** As Docker spells it in platforms: "amd64", "arm64". */
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly storageDriver: string;
  readonly cgroupVersion: '1' | '2';
  readonly rootDir: string;
  readonly securityOptions: readonly string[];
}

export interface EngineImage {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface NamedImage {
  readonly ref: string;
  /** When the image was last given a name, by the engine's clock; null where the engine does not say. */
  readonly lastTagged: Date | null;
}

export interface SandboxLimits {
  readonly memoryBytes: number;
  /** 1 is one core; fractions allowed. */
  readonly cpus: number;
  readonly pids: number;
}

/**
 * `exporter` and `importer` carry a base-image store out of an engine and into one: containers of the sandbox image, for
 * its user and its ids, in which nothing runs but what they are told to.
 */
export type SandboxKind = 'sandbox' | 'grader' | 'seeder' | 'exporter' | 'importer';

/** All that an engine needs to make one sandbox. Nothing in it comes from a learner. */
export interface SandboxSpec {
  /** The berth: session id, or place in the pool, for which it is made. The sandbox is found again by it. */
  readonly session: string;
  readonly kind: SandboxKind;
  /** Server id, for the label ballast.host. */
  readonly host: string;
  readonly image: string;
  /** Base-image store: mounted read-only, but read-write where it is filled, by a seeder or an importer. */
  readonly storeVolume: string;
  readonly limits: SandboxLimits;
  /** Only a seeder gets "bridge": it fetches packages and base images, never runs a learner's code. */
  readonly network: 'none' | 'bridge';
  readonly hostname: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface SandboxRecord {
  /** The engine's own id of the sandbox. */
  readonly id: string;
  readonly session: string;
  readonly kind: SandboxKind;
  readonly running: boolean;
  readonly createdAt: Date;
  /** Version of the base-image store it mounts. */
  readonly storeVolume: string;
}

export interface ExecSpec {
  /** Program and arguments: never a shell line made of somebody's words. */
  readonly argv: readonly string[];
  /** `watcher` can look at the learner's folders, and shares no quota of the kernel with any learner. */
  readonly user?: 'learner' | 'watcher' | 'root';
  /** Absolute, inside the sandbox. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A program running in a sandbox, its output in two streams that obey back-pressure. */
export interface RunningExec {
  readonly stdin: NodeJS.WritableStream;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Exit code, once both streams have ended. Must be called at most once the streams are being read. */
  exitCode(): Promise<number>;
  /** Drop the connection; the program itself may live on (the Docker API cannot kill an exec). */
  destroy(): void;
}

/** A program running on a pseudo-terminal in a sandbox. */
export interface TerminalExec {
  /** Keystrokes in, screen bytes out; pausing it pauses the program. */
  readonly stream: Duplex;
  resize(cols: number, rows: number): Promise<void>;
  exitCode(): Promise<number>;
  destroy(): void;
}

/** What sandboxes take of the engine's disk, as the engine itself counts it: nothing in a sandbox can change that. */
export interface DiskUse {
  /** Bytes of a sandbox's data and of what it wrote elsewhere, by the engine's id of the sandbox. */
  readonly sandboxes: ReadonlyMap<string, number>;
}

/** Room on the file system with the engine's data. */
export interface DiskRoom {
  readonly freeBytes: number;
  readonly freeInodes: number;
  /** 0 where the file system makes them as it goes. */
  readonly allInodes: number;
}

/** What one sandbox uses, as the engine itself measures it. */
export interface ResourceUse {
  readonly processes: number;
  /** Null when there is no limit. */
  readonly processLimit: number | null;
  /** CPU time since its start, of all cores together. */
  readonly cpuMs: number;
  /** Most memory that it has ever used, with what the kernel keeps of its files; null where the kernel keeps no count. */
  readonly memoryPeakBytes: number | null;
}

export type Progress = (line: { readonly text: string; readonly fraction?: number }) => void;

/** What a registry is shown: a user's password or what stands in for one, or a bearer token. */
export type RegistryCredentials =
  { readonly username: string; readonly password: string } | { readonly registryToken: string };

export interface PullOptions {
  /** Where to pull it from under another name, such as a mirror's; the image is called `ref` all the same. */
  readonly from?: string;
  readonly credentials?: RegistryCredentials;
  readonly signal?: AbortSignal;
}

/**
 * What Ballast asks of a container engine. Drivers throw BallastError only
 * (engine_missing, engine_denied, engine_too_old, engine_failed, disk_full, image_not_found, sandbox_exists).
 * Everything they create carries the labels ballast.kind, ballast.session and ballast.host.
 */
export interface Engine {
  readonly driver: string;
  info(): Promise<EngineInfo>;

  findImage(ref: string): Promise<EngineImage | null>;
  pullImage(ref: string, onProgress: Progress, options?: PullOptions): Promise<void>;
  /** Make an image of one layer from an uncompressed tar of a root file system. */
  importImage(ref: string, rootfs: Readable, labels: Readonly<Record<string, string>>): Promise<void>;
  /** Build an image from a tar of a build context with a Dockerfile at its top. */
  buildImage(
    ref: string,
    context: Readable,
    options: {
      labels: Readonly<Record<string, string>>;
      buildArgs: Readonly<Record<string, string>>;
      onProgress: Progress;
    },
  ): Promise<void>;
  /** Give an image a further name. Its own name again notes the moment: see `lastTagged`. */
  tagImage(ref: string, name: string): Promise<void>;
  /** Names of the images with these labels. */
  listImages(labels: Readonly<Record<string, string>>): Promise<readonly NamedImage[]>;
  /** Remove a name, and with its last one the image. Fails while a container uses the image, whoever made that. */
  removeImage(ref: string): Promise<void>;
  /** The archive of an image, as "docker save" writes it. Destroying the stream ends the reading of it. */
  saveImage(ref: string): Promise<Readable>;
  /** Take in all images of such an archive, under the names that they have in it: look at these first. */
  loadImage(archive: Readable): Promise<void>;

  createVolume(name: string, labels: Readonly<Record<string, string>>): Promise<void>;
  volumeLabels(name: string): Promise<Readonly<Record<string, string>> | null>;
  listVolumes(labels: Readonly<Record<string, string>>): Promise<readonly string[]>;
  removeVolume(name: string): Promise<void>;

  /**
   * Create and start a sandbox with its own data volume; returns the engine's id. Not yet ready.
   * A volume that the session already has is taken up again, and left alone when this fails.
   * @throws BallastError sandbox_exists where the session has a sandbox already.
   */
  createSandbox(spec: SandboxSpec): Promise<string>;
  listSandboxes(labels: Readonly<Record<string, string>>): Promise<readonly SandboxRecord[]>;
  inspectSandbox(id: string): Promise<SandboxRecord | null>;
  /** Lines of the sandbox's log from its start (or from now on), until it stops or `signal` aborts. */
  followLog(id: string, signal: AbortSignal, options?: { readonly from: 'start' | 'now' }): AsyncIterable<string>;
  /** Last lines of its log. */
  tailLog(id: string, lines: number): Promise<string>;
  /** Remove the sandbox and, unless `keepData`, its data volume; no error when it is already gone. */
  removeSandbox(id: string, options?: { readonly keepData?: boolean }): Promise<void>;

  /** Walks all data of the engine: ask for it only when there is a reason. */
  diskUse(): Promise<DiskUse>;
  /** Cheap. Null when the engine's disk is not this machine's. */
  diskRoom(): Promise<DiskRoom | null>;

  /** Cheap, and nothing is run in the sandbox: also answers when that cannot start a process any more. */
  resourceUse(id: string): Promise<ResourceUse>;

  exec(id: string, spec: ExecSpec): Promise<RunningExec>;
  execTerminal(id: string, spec: ExecSpec, size: { cols: number; rows: number }): Promise<TerminalExec>;
}
