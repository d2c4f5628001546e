import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { errorBody, labId, sessionId } from '../protocol/index.ts';
import { storing } from './storing.ts';

/** A session as the database keeps it: enough for a restarted server to go on. */
export interface SessionRecord {
  readonly id: string;
  /** SHA-256 of the token; the token itself is never stored. */
  readonly tokenHash: Uint8Array;
  /** SHA-256 of the secret of the browser that it belongs to. */
  readonly ownerHash: Uint8Array | null;
  readonly lab: string;
  /** The name that its sandbox and data volume carry; no two sessions have the same. */
  readonly berth: string;
  /** The engine's id of the sandbox, once it has one. */
  readonly sandboxId: string | null;
  readonly state: 'queued' | 'starting' | 'ready' | 'failed';
  readonly failure: z.infer<typeof errorBody> | null;
  readonly createdAt: Date;
  readonly startedAt: Date;
  readonly expiresAt: Date;
}

const row = z.object({
  id: sessionId,
  token_hash: z.instanceof(Uint8Array),
  owner_hash: z.instanceof(Uint8Array).nullable(),
  lab: labId,
  berth: sessionId,
  sandbox_id: z.string().nullable(),
  state: z.enum(['queued', 'starting', 'ready', 'failed']),
  failure: z.string().nullable(),
  created_at: z.number(),
  started_at: z.number(),
  expires_at: z.number(),
});

function toRecord(value: unknown): SessionRecord {
  const parsed = row.parse(value);
  return {
    id: parsed.id,
    tokenHash: parsed.token_hash,
    ownerHash: parsed.owner_hash,
    lab: parsed.lab,
    berth: parsed.berth,
    sandboxId: parsed.sandbox_id,
    state: parsed.state,
    failure: parsed.failure === null ? null : errorBody.parse(JSON.parse(parsed.failure)),
    createdAt: new Date(parsed.created_at),
    startedAt: new Date(parsed.started_at),
    expiresAt: new Date(parsed.expires_at),
  };
}

/** Sessions in the database. */
export interface SessionStore {
  /**
   * Insert the session, or replace what is known of it.
   * @throws BallastError disk_full; a database error when another session has its berth
   */
  save(record: SessionRecord): void;
  /** @throws BallastError disk_full */
  remove(id: string): void;
  list(): SessionRecord[];
}

/**
 * Sessions in `database`, which {@link openDatabase} has opened.
 * @throws ZodError from `list` when a row is not what we wrote
 */
export function createSessionStore(database: DatabaseSync): SessionStore {
  // Not OR REPLACE, which would quietly throw out another session with the same berth.
  const upsert = database.prepare(
    `INSERT INTO sessions
       (id, token_hash, owner_hash, lab, berth, sandbox_id, state, failure, created_at, started_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET berth = excluded.berth, sandbox_id = excluded.sandbox_id,
       state = excluded.state, failure = excluded.failure, started_at = excluded.started_at,
       expires_at = excluded.expires_at`,
  );
  const remove = database.prepare('DELETE FROM sessions WHERE id = ?');
  const list = database.prepare('SELECT * FROM sessions ORDER BY created_at');
  return {
    save(record) {
      storing(() =>
        upsert.run(
          record.id,
          record.tokenHash,
          record.ownerHash,
          record.lab,
          record.berth,
          record.sandboxId,
          record.state,
          record.failure === null ? null : JSON.stringify(record.failure),
          record.createdAt.getTime(),
          record.startedAt.getTime(),
          record.expiresAt.getTime(),
        ),
      );
    },
    remove(id) {
      storing(() => remove.run(id));
    },
    list() {
      return list.all().map(toRecord);
    },
  };
}
