import { z } from 'zod';
import { indexKinds, type AllowedRegistry } from './allow-list.ts';

const hostPattern = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i;

/** A host of the operator's, as "host" or "host:port", or with more to say about it. */
const allowed = z
  .union([
    z.string(),
    z.strictObject({
      host: z.string(),
      /** How its index names the hosts of files. */
      index: z.enum(indexKinds).optional(),
      /** It may have a private address. */
      internal: z.boolean().default(false),
    }),
  ])
  .transform((entry, context): AllowedRegistry => {
    const {
      host: text,
      index,
      internal,
    } = typeof entry === 'string' ? { host: entry, index: undefined, internal: false } : entry;
    const [, host = '', port] = hostPattern.exec(text) ?? [];
    if (host === '') context.addIssue({ code: 'custom', message: 'expected "host" or "host:port"' });
    return {
      host: host.toLowerCase(),
      port: port === undefined ? null : Number(port),
      index: index ?? null,
      reach: internal ? 'any' : 'public',
      from: 'operator',
      authorization: null,
    };
  });

const bytes = z.coerce.number().int().min(0);

/** The package gateway, for labs with `network: packages`. */
export const gatewaySchema = z
  .strictObject({
    /** Without it, such labs have no network either. */
    enabled: z.stringbool().or(z.boolean()).default(true),
    /** Whether the registries that this machine's package clients use are allowed. */
    fromClients: z.stringbool().or(z.boolean()).default(true),
    /** Further registries. */
    allow: z.array(allowed).default([]),
    /** What the cache of answers may take of the disk; 0 keeps none. */
    cacheBytes: bytes.default(2 * 1024 ** 3),
    /** What one session may fetch in all. */
    sessionBytes: bytes.default(4 * 1024 ** 3),
    /** What one session may fetch in a second. */
    bytesPerSecond: bytes.min(1024).default(64 * 1024 ** 2),
    /** Requests of one session in a minute. */
    requestsPerMinute: z.coerce.number().int().positive().default(6000),
    /** Connections of one session at once; further ones wait. */
    connections: z.coerce.number().int().min(1).max(256).default(48),
  })
  .prefault({});
export type GatewaySettings = z.output<typeof gatewaySchema>;
