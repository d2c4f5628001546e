import type { X509Certificate } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { trustedAuthorities } from '../extra-ca.ts';
import { AddressGuard, type Reach } from './address-guard.ts';

const socketsPerHost = 32;
/** A registry that sends nothing for so long has failed. */
const silenceMs = 60_000;

export interface UpstreamRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly reach: Reach;
  readonly signal: AbortSignal;
}

/** Fetches from registries. */
export interface Upstream {
  /** Resolves with the head of the answer. @throws RefusedError for a private address; what the network says */
  fetch(request: UpstreamRequest): Promise<IncomingMessage>;
  close(): void;
}

/**
 * @param extraCa trusted beside the machine's own authorities
 * @param environment says which proxy the machine itself must use (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). Behind one, names
 * are looked up by that proxy, and addresses cannot be judged here.
 */
export function createUpstream(
  extraCa: readonly X509Certificate[],
  environment: Readonly<Record<string, string | undefined>>,
): Upstream {
  const ca = [...trustedAuthorities(extraCa)];
  const common = { keepAlive: true, maxSockets: socketsPerHost, proxyEnv: { ...environment } };
  const agents = { http: new HttpAgent(common), https: new HttpsAgent({ ...common, ca }) };
  const guard = new AddressGuard();
  return {
    async fetch({ method, url, headers, reach, signal }) {
      guard.checkAddress(url.hostname, reach);
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const options = { method, headers, signal, lookup: guard.lookupFor(url.hostname, reach) as never };
      const request =
        url.protocol === 'https:'
          ? httpsRequest(url, { ...options, agent: agents.https })
          : httpRequest(url, { ...options, agent: agents.http });
      request.setTimeout(silenceMs, () => request.destroy(new Error('the registry does not answer')));
      request.once('response', resolve);
      // Also after the head: the answer's own stream tells its reader.
      request.on('error', reject);
      request.end();
      return promise;
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}
