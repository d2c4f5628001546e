import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { errorBody, labId, sessionId } from '../protocol/index.ts';

/** A session as the database keeps it: enough for a restarted server to go on. */
export interface SessionRecord {
  readonly id: string;
  /** SHA-256 of the token; the token itself is never stored. */
  readonly tokenHash: Uint8Array;
  readonly lab: string;
  /** The engine's id of the sandbox, once it has one. */
  readonly sandboxId: string | null;
  readonly state: 'starting' | 'ready' | 'failed';
  readonly failure: z.infer<typeof errorBody> | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

const row = z.object({
  id: sessionId,
  token_hash: z.instanceof(Uint8Array),
  lab: labId,
  sandbox_id: z.string().nullable(),
  state: z.enum(['starting', 'ready', 'failed']),
  failure: z.string().nullable(),
  created_at: z.number(),
  expires_at: z.number(),
});

function toRecord(value: unknown): SessionRecord {
  const parsed = row.parse(value);
  return {
    id: parsed.id,
    tokenHash: parsed.token_hash,
    lab: parsed.lab,
    sandboxId: parsed.sandbox_id,
    state: parsed.state,
    failure: parsed.failure === null ? null : errorBody.parse(JSON.parse(parsed.failure)),
    createdAt: new Date(parsed.created_at),
    expiresAt: new Date(parsed.expires_at),
  };
}

/** Sessions in the database. */
export interface SessionStore {
  /** Insert the session, or replace what is known of it. */
  save(record: SessionRecord): void;
  remove(id: string): void;
  list(): SessionRecord[];
}

/**
 * Sessions in `database`, which {@link openDatabase} has opened.
 * @throws ZodError from `list` when a row is not what we wrote
 */
export function createSessionStore(database: DatabaseSync): SessionStore {
  const upsert = database.prepare(
    `INSERT OR REPLACE INTO sessions (id, token_hash, lab, sandbox_id, state, failure, created_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const remove = database.prepare('DELETE FROM sessions WHERE id = ?');
  const list = database.prepare('SELECT * FROM sessions ORDER BY created_at');
  return {
    save(record) {
      upsert.run(
        record.id,
        record.tokenHash,
        record.lab,
        record.sandboxId,
        record.state,
        record.failure === null ? null : JSON.stringify(record.failure),
        record.createdAt.getTime(),
        record.expiresAt.getTime(),
      );
    },
    remove(id) {
      remove.run(id);
    },
    list() {
      return list.all().map(toRecord);
    },
  };
}
