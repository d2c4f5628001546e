import type { ElfFacts } from './elf.ts';
import type { ImagePackage } from './packages.ts';

/** One path in one layer. */
export interface LayerEntry {
  /** Without a leading slash. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'device' | 'fifo';
  readonly sizeBytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly linkTarget?: string;
  /** Of programs in the ELF format. */
  readonly elf?: ElfFacts;
}

export interface ImageLayer {
  /** Diff id (digest of the uncompressed layer). */
  readonly digest: string;
  /** Uncompressed bytes of the files in it, without the archive's own headers and padding. */
  readonly sizeBytes: number;
  /** The instruction that made it, from the image's history; in brackets, that the history does not tell. */
  readonly createdBy: string;
  readonly entries: readonly LayerEntry[];
  /** Paths (without a leading slash) that this layer deletes from those below. */
  readonly whiteouts: readonly string[];
  /** Folders of which this layer hides all that the layers below put in them. */
  readonly opaque: readonly string[];
  readonly packages: readonly ImagePackage[];
}

/** HEALTHCHECK of an image; times in ms, 0 where the image leaves them to the engine. */
export interface Healthcheck {
  /** ["CMD", program, …] or ["CMD-SHELL", line]. */
  readonly test: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
}

/** One step of how the image was made. */
export interface HistoryStep {
  readonly createdBy: string;
  /** Whether it made a layer; ENV and the like make none. */
  readonly layer: boolean;
}

export interface ImageConfig {
  /** As in the image: "", "65532", "nonroot:nonroot". */
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly exposedPorts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  /** Null when there is none, or "NONE". */
  readonly healthcheck: Healthcheck | null;
  readonly stopSignal: string;
  readonly architecture: string;
  readonly os: string;
}

export interface ImageContents {
  readonly id: string;
  readonly ref: string;
  /**
   * The one meaning of size: the sum of the uncompressed bytes of the files in each layer, counted from the archive.
   * The classic image store's "docker images" says the same; newer stores count compressed bytes as well.
   */
  readonly sizeBytes: number;
  readonly layers: readonly ImageLayer[];
  readonly config: ImageConfig;
  readonly history: readonly HistoryStep[];
  /** The file system as a container sees it: path to its entry and the index of the layer it comes from. */
  readonly merged: ReadonlyMap<string, { readonly entry: LayerEntry; readonly layer: number }>;
  /** Text of small well-known files in the merged view: etc/passwd, etc/group, etc/os-release. */
  readonly text: ReadonlyMap<string, string>;
  /** Packages that a container sees; those of each layer are with the layer. */
  readonly packages: readonly ImagePackage[];
  /** Bytes in files that are in several layers, all copies counted, or that a later layer deletes or makes a folder. */
  readonly wastedBytes: number;
}

/** A string that should not be in an image, and is. */
export interface Finding {
  readonly needle: string;
  readonly where: 'layer' | 'config' | 'history';
  /** Index of the layer or of the step in the history; 0 for the config. */
  readonly index: number;
  /** Path in the layer, or the instruction or comment in the history; "" for the config. */
  readonly path: string;
  /** Whether a later layer deletes or replaces the file. */
  readonly hidden: boolean;
}

/** Reads images out of one sandbox's engine. */
export interface ImageReader {
  /** Throws BallastError image_not_found when there is no such image, too_large when it is past the caps. */
  read(ref: string, signal?: AbortSignal): Promise<ImageContents>;
  /**
   * Look for strings in every file of every layer, in names and links, in the config and in the history.
   * @param needles none of them empty
   * @throws BallastError as `read`
   */
  search(ref: string, needles: readonly string[], signal?: AbortSignal): Promise<readonly Finding[]>;
}
