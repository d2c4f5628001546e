import { z } from 'zod';

/** `host`, `host:port`, `host:port/prefix`, with or without a scheme in front; never credentials. */
const mirrorPattern = /^(https?:\/\/)?([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?(\/[a-z0-9._/-]*)?$/;
const hostPattern = /^([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?$/;

/** Where the secret for a registry is kept: always a file, so that it is in no process list and in no configuration. */
const registryAuth = z
  .strictObject({
    username: z.string().min(1).optional(),
    /** File with the password (or the access token that stands in for one) of `username`. */
    passwordFile: z.string().optional(),
    /** File with a bearer token, sent as it is. */
    tokenFile: z.string().optional(),
    /** A docker config.json, as `docker login` writes it where no credential helper is set up. */
    dockerConfig: z.string().optional(),
  })
  .refine(
    ({ username, passwordFile, tokenFile, dockerConfig }) =>
      (username === undefined) === (passwordFile === undefined) &&
      [passwordFile, tokenFile, dockerConfig].filter((file) => file !== undefined).length === 1,
    'give username and passwordFile, or tokenFile, or dockerConfig',
  );
export type RegistryAuthSettings = z.infer<typeof registryAuth>;

const registrySettings = z.strictObject({
  /** Asked in place of the registry: `host[:port][/prefix]`, or that with http:// or https:// in front. */
  mirror: z
    .string()
    .regex(mirrorPattern, 'expected host[:port][/prefix], with http:// or https:// or without')
    .optional(),
  /** Allow plain HTTP, and certificates that nobody vouches for. */
  insecure: z.boolean().default(false),
  auth: registryAuth.optional(),
  /** Longest wait for a registry that limits the rate, in seconds, all images together. */
  waitSeconds: z.coerce.number().int().nonnegative().default(300),
});

/** Settings by registry, as references name it: "docker.io", "gcr.io". */
export const registriesSchema = z
  .record(z.string().regex(hostPattern, 'expected the name of a registry, such as docker.io'), registrySettings)
  .default({});
export type Registries = z.infer<typeof registriesSchema>;

/**
 * Where base images come from: `auto` pulls, and builds an equivalent where that fails; `pull` only pulls;
 * `build` asks no registry.
 */
export const imagesPolicy = z.enum(['auto', 'pull', 'build']).default('auto');
export type ImagesPolicy = z.infer<typeof imagesPolicy>;
