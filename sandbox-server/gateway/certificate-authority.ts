// @peculiar/x509 asks for it before it is loaded.
import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 24 * 3600 * 1000;
const authorityDays = 3650;
/** A server that runs for longer signs anew. */
const leafDays = 30;
/** Clocks of sandboxes are the host's; this is for a host whose clock is put right. */
const backdateMs = dayMs;

type Key = webcrypto.CryptoKey;
type Keys = webcrypto.CryptoKeyPair;

const serial = (): string => `00${randomBytes(15).toString('hex')}`;

async function pemOf(key: Key): Promise<string> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const exported = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return exported.export({ type: 'pkcs8', format: 'pem' });
}

async function importKey(pem: string): Promise<Key> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

const makeKeys = (): Promise<Keys> => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

/** The library's types name the browser's keys; Node's are the same things. */
const forLibrary = (keys: Keys | Key): never => keys as never;

/** The authority of one server's package gateway. Sandboxes of labs with packages trust it; nothing else does. */
export class CertificateAuthority {
  /** Its certificate. */
  readonly pem: string;
  readonly #certificate: X509Certificate;
  readonly #key: Key;
  readonly #leafKeys: Keys;
  readonly #leafKeyPem: string;
  readonly #contexts = new Map<string, { readonly context: Promise<SecureContext>; readonly until: number }>();

  private constructor(pem: string, key: Key, leafKeys: Keys, leafKeyPem: string) {
    this.pem = pem;
    this.#certificate = new X509Certificate(pem);
    this.#key = key;
    this.#leafKeys = leafKeys;
    this.#leafKeyPem = leafKeyPem;
  }

  /**
   * Takes up the authority in `folder`, or makes one there. Its key is in that folder alone, readable by its owner.
   * @throws when the folder cannot be written
   */
  static async open(folder: string): Promise<CertificateAuthority> {
    const file = join(folder, 'authority.pem');
    const text = (await readFile(file, 'utf8').catch(() => null)) ?? (await CertificateAuthority.#make(folder, file));
    const blocks = text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n?/g) ?? [];
    const certificate = blocks.find((block) => block.includes('BEGIN CERTIFICATE')) ?? '';
    const key = blocks.find((block) => block.includes('PRIVATE KEY')) ?? '';
    const leafKeys = await makeKeys();
    return new CertificateAuthority(certificate, await importKey(key), leafKeys, await pemOf(leafKeys.privateKey));
  }

  static async #make(folder: string, file: string): Promise<string> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const keys = await makeKeys();
    const now = Date.now();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: `CN=Ballast package gateway ${randomBytes(4).toString('hex')}`,
      notBefore: new Date(now - backdateMs),
      notAfter: new Date(now + authorityDays * dayMs),
      keys: forLibrary(keys),
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(forLibrary(keys.publicKey)),
      ],
    });
    const text = `${certificate.toString('pem')}\n${await pemOf(keys.privateKey)}`;
    const making = `${file}.${randomBytes(4).toString('hex')}`;
    await writeFile(making, text, { mode: 0o600 });
    // Two processes of one home may come here at once: the first one's stays.
    await link(making, file).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
    await rm(making);
    return readFile(file, 'utf8');
  }

  /** What a server needs to speak TLS as `host`. */
  async contextFor(host: string): Promise<SecureContext> {
    const known = this.#contexts.get(host);
    if (known !== undefined && known.until > Date.now()) return known.context;
    const context = this.#sign(host);
    this.#contexts.set(host, { context, until: Date.now() + (leafDays / 2) * dayMs });
    return context;
  }

  async #sign(host: string): Promise<SecureContext> {
    const now = Date.now();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${host.slice(0, 64)}`,
      issuer: this.#certificate.subject,
      notBefore: new Date(now - backdateMs),
      notAfter: new Date(now + leafDays * dayMs),
      publicKey: forLibrary(this.#leafKeys.publicKey),
      signingKey: forLibrary(this.#key),
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([{ type: /^[\d.]+$|:/.test(host) ? 'ip' : 'dns', value: host }]),
      ],
    });
    return createSecureContext({ key: this.#leafKeyPem, cert: certificate.toString('pem'), minVersion: 'TLSv1.2' });
  }
}
