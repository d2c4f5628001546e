import { tooLarge } from './archive-error.ts';
import type { ImageCaps } from './caps.ts';

/** Counts what one archive has used up, over all of its layers. */
export class Budget {
  readonly caps: ImageCaps;
  #archiveBytes = 0;
  #layerBytes = 0;
  #layers = 0;
  #entries = 0;
  #pathBytes = 0;
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
    if (path.split('/').length > this.caps.pathDepth) throw tooLarge('its folders are nested too deep');
    this.#pathBytes += bytes + targetBytes;
    if (this.#pathBytes > this.caps.allPathBytes) throw tooLarge('its paths are too long altogether');
  }
}
