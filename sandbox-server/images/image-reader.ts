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
}

export interface ImageLayer {
  /** Diff id (digest of the uncompressed layer). */
  readonly digest: string;
  /** Uncompressed bytes of the file contents and headers, as the archive holds them. */
  readonly sizeBytes: number;
  /** The instruction that made it, from the image's history. */
  readonly createdBy: string;
  readonly entries: readonly LayerEntry[];
  /** Paths (without a leading slash) that this layer deletes from those below. */
  readonly whiteouts: readonly string[];
  /** Folders of which this layer hides all that the layers below put in them. */
  readonly opaque: readonly string[];
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
  readonly architecture: string;
  readonly os: string;
}

export interface ImageContents {
  readonly id: string;
  readonly ref: string;
  /** The design's one meaning of size: the sum of the uncompressed bytes of the layers. */
  readonly sizeBytes: number;
  readonly layers: readonly ImageLayer[];
  readonly config: ImageConfig;
  /** The file system as a container sees it: path to its entry and the index of the layer it comes from. */
  readonly merged: ReadonlyMap<string, { readonly entry: LayerEntry; readonly layer: number }>;
  /** Text of small well-known files in the merged view: etc/passwd, etc/group. */
  readonly text: ReadonlyMap<string, string>;
}

/** Reads images out of one sandbox's engine. */
export interface ImageReader {
  /** Throws BallastError image_not_found when there is no such image, too_large when it is past the caps. */
  read(ref: string, signal?: AbortSignal): Promise<ImageContents>;
}
