import { expect, test } from 'vitest';
import { sessionId } from '../protocol/index.ts';
import { hashToken, newSessionId, newToken, tokenMatches } from './credentials.ts';

test('ids are as the protocol says, and differ', () => {
  const ids = new Set(Array.from({ length: 200 }, newSessionId));
  expect(ids.size).toBe(200);
  for (const id of ids) expect(sessionId.safeParse(id).success).toBe(true);
});

test('a token matches its own hash and no other', () => {
  const token = newToken();
  expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  expect(tokenMatches(token, hashToken(token))).toBe(true);
  expect(tokenMatches(newToken(), hashToken(token))).toBe(false);
  expect(tokenMatches('', hashToken(token))).toBe(false);
  expect(tokenMatches(token, new Uint8Array(3))).toBe(false);
});
