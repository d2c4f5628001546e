/** How much of an image is read before giving up on it. Archives come from learners' engines: they may lie and may explode. */
export interface ImageCaps {
  /** Bytes of the archive as `docker save` sends it. */
  readonly archiveBytes: number;
  /** Uncompressed bytes of all layers together. */
  readonly layerBytes: number;
  /** Uncompressed bytes for each compressed one, in layers past a mebibyte. */
  readonly ratio: number;
  readonly layers: number;
  /** Entries of all layers together. */
  readonly entries: number;
  /** Bytes of one path. */
  readonly pathBytes: number;
  /** Folders in one path. */
  readonly pathDepth: number;
  /** Bytes of all paths and link targets together. */
  readonly allPathBytes: number;
  /** Names in all paths together, "usr/bin/env" being three: each may stand for a folder that nothing else names. */
  readonly pathNames: number;
  /** Bytes of one JSON document, and of each of the small files whose text is kept. */
  readonly documentBytes: number;
  /** Bytes of all of these together. */
  readonly allTextBytes: number;
  /** JSON documents in one archive. */
  readonly documents: number;
  /** Packages of all layers together. */
  readonly packages: number;
  /** Memory of the reading thread, in mebibytes. */
  readonly heapMebibytes: number;
  /** Time for one image, in ms: less than the checks that read images have. */
  readonly timeoutMs: number;
}

const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;

/** An 850 MB image of the Go toolchain has 16 000 entries; these leave room for ten times the largest image of a lab. */
export const defaultCaps: ImageCaps = {
  archiveBytes: 8 * gibibyte,
  layerBytes: 8 * gibibyte,
  ratio: 250,
  layers: 256,
  entries: 400_000,
  pathBytes: 4096,
  pathDepth: 255,
  allPathBytes: 64 * mebibyte,
  pathNames: 4_000_000,
  documentBytes: 4 * mebibyte,
  allTextBytes: 32 * mebibyte,
  documents: 2000,
  packages: 100_000,
  heapMebibytes: 768,
  timeoutMs: 100_000,
};
