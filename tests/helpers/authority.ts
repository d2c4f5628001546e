import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A certificate with its key, both in PEM. */
export interface Signed {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority of a test's own, made with openssl. */
export class TestAuthority {
  /** Its certificate, in PEM. */
  readonly certificate: string;
  readonly #key: string;

  /** @param days that it is good for; negative ones are over */
  constructor(name: string, days = 2) {
    const made = inFolder((file) => {
      const usage = ['-addext', 'keyUsage=critical,keyCertSign'];
      openssl(
        'req',
        '-x509',
        ...key,
        '-days',
        String(days),
        '-subj',
        `/O=Ballast tests/CN=${name}`,
        ...usage,
        ...['-keyout', file('key'), '-out', file('crt')],
      );
      return { certificate: readFileSync(file('crt'), 'utf8'), key: readFileSync(file('key'), 'utf8') };
    });
    this.certificate = made.certificate;
    this.#key = made.key;
  }

  /** Sign a server's certificate. @param host its name */
  sign(host: string): Signed {
    return inFolder((file) => {
      writeFileSync(file('ca.crt'), this.certificate);
      writeFileSync(file('ca.key'), this.#key);
      writeFileSync(file('ext'), `subjectAltName=DNS:${host}\nextendedKeyUsage=serverAuth\n`);
      openssl('req', ...key, '-subj', `/CN=${host}`, '-keyout', file('key'), '-out', file('csr'));
      const authority = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial'];
      const request = ['-in', file('csr'), '-days', '2', '-extfile', file('ext'), '-out', file('crt')];
      openssl('x509', '-req', ...authority, ...request);
      return { certificate: readFileSync(file('crt'), 'utf8'), key: readFileSync(file('key'), 'utf8') };
    });
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

function inFolder<Result>(work: (file: (name: string) => string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-authority-'));
  try {
    return work((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
