/** How the server may be addressed. */
export interface OriginPolicy {
  /** The address it was told to listen on. */
  readonly host: string;
  /** Further origins that the operator trusts, e.g. "https://workshop.example". */
  readonly origins: readonly string[];
}

/** Host name of a Host header, without the port: lower case, no brackets, no closing dot. Null when it is not one. */
export function hostName(header: string | undefined): string | null {
  if (header === undefined || header === '' || /[\s/@\\?#]/.test(header)) return null;
  try {
    const { hostname } = new URL(`http://${header}`);
    return hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  } catch {
    return null;
  }
}

/** Whether a name or address means this machine itself, whatever DNS says. */
export function isLoopback(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name);
}

function normalOrigin(text: string): string | null {
  try {
    const { origin } = new URL(text);
    return origin === 'null' ? null : origin;
  } catch {
    return null;
  }
}

/**
 * Whether a request with this Host header is meant for us. A web page may point its own name at 127.0.0.1 (DNS
 * rebinding) and would then be of our origin in the browser's eyes: only names that we know are ours will do.
 * A server that listens on the network is known by names that only its operator knows, so there all will do.
 */
export function isOwnHost(header: string | undefined, policy: OriginPolicy): boolean {
  const name = hostName(header);
  if (name === null) return false;
  if (!isLoopback(hostName(policy.host.includes(':') ? `[${policy.host}]` : policy.host) ?? '')) return true;
  if (isLoopback(name)) return true;
  return policy.origins.some((origin) => {
    const known = normalOrigin(origin);
    return known !== null && new URL(known).hostname.replace(/^\[|\]$/g, '') === name;
  });
}

/**
 * Whether an Origin header names the server itself or an origin that the operator trusts.
 * @param origin the header
 * @param self scheme and Host header of the same request
 */
export function isOwnOrigin(
  origin: string,
  self: { readonly scheme: 'http' | 'https'; readonly host: string | undefined },
  policy: OriginPolicy,
): boolean {
  const given = normalOrigin(origin);
  // An origin is spelled in one way only: whatever has a path, a user or stray characters did not come from a browser.
  if (given === null || given !== origin.toLowerCase()) return false;
  if (self.host !== undefined && given === normalOrigin(`${self.scheme}://${self.host}`)) return true;
  return policy.origins.some((known) => normalOrigin(known) === given);
}
