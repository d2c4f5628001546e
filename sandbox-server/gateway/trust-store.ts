import { createHash } from 'node:crypto';

const magic = 0xfeedfeed;
const version = 2;
const trustedCertificate = 2;
/** Java's own name for the salt of a store's digest. */
const salt = 'Mighty Aphrodite';

/** Java's "modified UTF-8" of plain ASCII: a length of two bytes, then the bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'ascii');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/**
 * A Java trust store (JKS) with some certificates. Every Java reads that format; openssl, which could write PKCS#12 with
 * Java's mark of trust in new versions alone, is then not needed.
 * @param certificates in DER
 * @param password that readers may check; it protects nothing
 */
export function javaTrustStore(certificates: readonly Uint8Array[], password: string): Buffer {
  const date = Buffer.alloc(8);
  date.writeBigInt64BE(BigInt(Date.now()));
  const body = Buffer.concat([
    number(magic),
    number(version),
    number(certificates.length),
    ...certificates.flatMap((der, at) => [
      number(trustedCertificate),
      text(`ballast-${String(at)}`),
      date,
      text('X.509'),
      number(der.length),
      der,
    ]),
  ]);
  const utf16 = Buffer.from(password, 'utf16le').swap16();
  const digest = createHash('sha1').update(utf16).update(salt).update(body).digest();
  return Buffer.concat([body, digest]);
}
