import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const idAlphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const idLength = 20;

/** A new session id: 20 characters of base 32, 100 random bits. Public: it is in addresses and logs. */
export function newSessionId(): string {
  return Array.from(randomBytes(idLength), (byte) => idAlphabet.charAt(byte & 31)).join('');
}

/** A new session token: 256 random bits, base64url. Given out once. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/** What is stored of a token. A random token needs no salt and no slow hash. */
export function hashToken(token: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(token).digest());
}

/** Whether `token` is the one that was hashed; takes the same time whatever it is. */
export function tokenMatches(token: string, hash: Uint8Array): boolean {
  const given = hashToken(token);
  return given.length === hash.length && timingSafeEqual(given, hash);
}
