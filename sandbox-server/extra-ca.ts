import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import { BallastError } from './protocol/index.ts';

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const hint = 'BALLAST_EXTRA_CA ("extraCa") names a PEM file with the certificates of authorities.';

/** The operator's further certificate authorities. */
export interface ExtraCa {
  /** Each of them once; none where no file is named. */
  readonly certificates: readonly X509Certificate[];
  /** The same as PEM text, without whatever else was in the file; empty where there is none. */
  readonly pem: string;
}

function parse(block: string): X509Certificate {
  try {
    return new X509Certificate(block);
  } catch (cause) {
    throw new Error('one of its certificates cannot be understood', { cause });
  }
}

/**
 * Read the file that `extraCa` names.
 * @param file path; undefined where nothing is set.
 * @throws BallastError config_invalid, naming the file, where it cannot be read or holds no certificate.
 */
export function readExtraCa(file: string | undefined): ExtraCa {
  if (file === undefined) return { certificates: [], pem: '' };
  const wrong = (what: string, cause?: unknown): BallastError =>
    new BallastError('config_invalid', { message: `extraCa: ${file}: ${what}.`, hint, cause });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw wrong(`it cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`, cause);
  }
  try {
    const found = (text.match(block) ?? []).map(parse);
    const certificates = [...new Map(found.map((one) => [one.fingerprint256, one])).values()];
    if (certificates.length === 0) throw new Error('it holds no certificate in PEM form');
    return { certificates, pem: certificates.map((one) => one.toString()).join('') };
  } catch (error) {
    throw wrong((error as Error).message, error);
  }
}

/** All that this machine trusts, in PEM, and further authorities. */
export function trustedAuthorities(further: readonly X509Certificate[]): readonly string[] {
  const own = (['bundled', 'system', 'extra'] as const).flatMap((source) => getCACertificates(source));
  return [...new Set([...own, ...further.map((one) => one.toString())])];
}
