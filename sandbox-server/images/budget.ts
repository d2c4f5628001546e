import { tooLarge } from './archive-error.ts';
import type { ImageCaps } from './caps.ts';

const mebibytes = (bytes: number): string => `${String(bytes / 1024 ** 2)} MiB`;

/** What is said of an image past the cap on names in paths. */
export const tooManyNames = 'its files lie in too many folders';

/** Names in a path: "usr/bin/env" has three. */
export function countNames(path: string): number {
  let names = 1;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) names += 1;
  return names;
}

/** Counts what one archive has used up, over all of its layers. */
export class Budget {
  readonly caps: ImageCaps;
  #archiveBytes = 0;
  #layerBytes = 0;
  #layers = 0;
  #entries = 0;
  #pathBytes = 0;
  #pathNames = 0;
  #textBytes = 0;
  #documents = 0;
  #packages = 0;

  constructor(caps: ImageCaps) {
    this.caps = caps;
  }

  addArchiveBytes(count: number): void {
    this.#archiveBytes += count;
    if (this.#archiveBytes > this.caps.archiveBytes) throw tooLarge('its archive has too many bytes');
  }

  addLayerBytes(count: number): void {
    this.#layerBytes += count;
    if (this.#layerBytes > this.caps.layerBytes) throw tooLarge('its layers have too many bytes');
  }

  addLayer(): void {
    this.#layers += 1;
    if (this.#layers > this.caps.layers) throw tooLarge(`it has more than ${String(this.caps.layers)} layers`);
  }

  addDocument(): void {
    this.#documents += 1;
    if (this.#documents > this.caps.documents) throw tooLarge('its archive has too many documents');
  }

  /** @param what names the file or document; @param bytes of it, counted before it is read */
  addText(what: string, bytes: number): void {
    if (bytes > this.caps.documentBytes) throw tooLarge(`${what} is larger than ${mebibytes(this.caps.documentBytes)}`);
    this.#textBytes += bytes;
    if (this.#textBytes > this.caps.allTextBytes)
      throw tooLarge(`its lists of users and its documents have more than ${mebibytes(this.caps.allTextBytes)}`);
  }

  addPackages(count: number): void {
    this.#packages += count;
    if (this.#packages > this.caps.packages) throw tooLarge('it lists too many packages');
  }

  addEntry(path: string, target: string): void {
    this.#entries += 1;
    if (this.#entries > this.caps.entries) throw tooLarge(`it has more than ${String(this.caps.entries)} files`);
    const bytes = Buffer.byteLength(path);
    const targetBytes = Buffer.byteLength(target);
    if (bytes > this.caps.pathBytes || targetBytes > this.caps.pathBytes) throw tooLarge('a path in it is too long');
    const names = countNames(path);
    if (names > this.caps.pathDepth) throw tooLarge('its folders are nested too deep');
    this.#pathNames += names;
    if (this.#pathNames > this.caps.pathNames) throw tooLarge(tooManyNames);
    this.#pathBytes += bytes + targetBytes;
    if (this.#pathBytes > this.caps.allPathBytes) throw tooLarge('its paths are too long altogether');
  }
}
