import { labList, type ImageOrigin } from '../../sandbox-server/protocol/rest.ts';

let origins: Promise<ReadonlyMap<string, ImageOrigin>> | undefined;

/** Where each base image of this server came from; empty when it cannot be asked. One request a page. */
function loadOrigins(): Promise<ReadonlyMap<string, ImageOrigin>> {
  origins ??= fetch('/api/labs', { headers: { accept: 'application/json' } })
    .then(async (response) => (response.ok ? labList.parse(await response.json()) : { labs: [] }))
    .then(({ labs }) => new Map(labs.flatMap((lab) => lab.images.map((image) => [image.ref, image.origin] as const))))
    .catch(() => new Map<string, ImageOrigin>());
  return origins;
}

/** `<image-ref data-ref="golang:1.24">`: marks a base image that is our equivalent of the official one. */
class ImageRef extends HTMLElement {
  async connectedCallback(): Promise<void> {
    const origin = (await loadOrigins()).get(this.dataset['ref'] ?? '');
    if (origin !== 'equivalent' || this.querySelector('.image-origin') !== null) return;
    const badge = document.createElement('span');
    badge.className = 'image-origin';
    badge.textContent = 'equivalent';
    badge.title = 'Built from Debian packages, since no registry was in reach: an equivalent of the official image';
    this.append(badge);
  }
}

customElements.define('image-ref', ImageRef);
