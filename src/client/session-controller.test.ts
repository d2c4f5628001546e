import { describe, expect, it } from 'vitest';
import { BallastError, closeCodes, type SessionView } from '../../sandbox-server/protocol/index.ts';
import type { Api } from './api.ts';
import { SessionController, type SandboxState } from './session-controller.ts';
import type { KeyValueStore } from './storage.ts';
import { startSocketServer } from './testing/socket-server.ts';

const view = (change: Partial<SessionView> = {}): SessionView => ({
  id: 'abcdefghij0123456789',
  lab: 'multi-stage-go',
  state: 'starting',
  stage: 'Starting the engine',
  progress: 0.4,
  queue: null,
  restoredFiles: false,
  createdAt: '2026-11-20T10:00:00.000Z',
  expiresAt: '2026-11-20T12:00:00.000Z',
  terminals: [],
  maxTerminals: 4,
  failure: null,
  ...change,
});

const memory = (entries: Record<string, string> = {}): KeyValueStore & { readonly map: Map<string, string> } => {
  const map = new Map(Object.entries(entries));
  return {
    map,
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, value) => void map.set(key, value),
    removeItem: (key) => void map.delete(key),
  };
};

const refuse = (): Promise<never> => Promise.reject(new Error('not expected in this test'));

const fakeApi = (calls: Partial<Api>): Api => ({
  createSession: refuse,
  getSession: refuse,
  endSession: refuse,
  extendSession: refuse,
  resetSession: refuse,
  listFiles: refuse,
  readFile: refuse,
  writeFile: refuse,
  deleteFile: refuse,
  runChecks: refuse,
  listImages: refuse,
  clockSkewMs: 0,
  ...calls,
});

const becomes = (controller: SessionController, kind: SandboxState['kind']): Promise<void> =>
  new Promise((resolve) => {
    controller.state.subscribe((state) => {
      if (state.kind === kind) resolve();
    });
  });

const key = 'ballast.session.multi-stage-go';

describe('SessionController', () => {
  it('starts a session, follows it to ready and remembers it', async () => {
    await using server = await startSocketServer();
    const storage = memory();
    const controller = new SessionController({
      lab: 'multi-stage-go',
      api: fakeApi({ createSession: () => Promise.resolve(view()) }),
      storage,
      socketBase: server.url.slice(0, -1),
    });
    await controller.start();
    expect(controller.state.value).toEqual({ kind: 'starting', stage: 'Starting the engine', progress: 0.4 });
    const peer = await server.connection();
    peer.send({ type: 'session', session: view({ state: 'ready', progress: 1 }) });
    await becomes(controller, 'ready');
    expect(storage.map.get(key)).toBe('abcdefghij0123456789');
    peer.socket.close(closeCodes.gone);
    await becomes(controller, 'none');
    expect(storage.map.size).toBe(0);
    controller.dispose();
  });

  it('resumes the session of the last visit', async () => {
    await using server = await startSocketServer();
    const controller = new SessionController({
      lab: 'multi-stage-go',
      api: fakeApi({ getSession: () => Promise.resolve(view({ state: 'ready' })) }),
      storage: memory({ [key]: 'abcdefghij0123456789' }),
      socketBase: server.url.slice(0, -1),
    });
    await controller.resume();
    expect(controller.state.value.kind).toBe('ready');
    controller.dispose();
  });

  it('forgets a session that is gone, says so, and can start another', async () => {
    await using server = await startSocketServer();
    const storage = memory({ [key]: 'stale' });
    const controller = new SessionController({
      lab: 'multi-stage-go',
      api: fakeApi({
        getSession: () => Promise.reject(new BallastError('session_not_found')),
        createSession: () => Promise.resolve(view({ state: 'ready' })),
      }),
      storage,
      socketBase: server.url.slice(0, -1),
    });
    await controller.resume();
    expect(controller.state.value).toEqual({ kind: 'none', notice: 'Your last sandbox has ended.' });
    await controller.start();
    expect(controller.state.value.kind).toBe('ready');
    controller.dispose();
  });

  it('shows why a sandbox did not start, and forgets it', async () => {
    const storage = memory();
    const failure = { code: 'sandbox_failed', message: 'It did not start.', hint: 'Try again.' };
    const controller = new SessionController({
      lab: 'multi-stage-go',
      api: fakeApi({ createSession: () => Promise.resolve(view({ state: 'failed', failure })) }),
      storage,
      socketBase: 'ws://127.0.0.1:1',
    });
    await controller.start();
    expect(controller.state.value).toEqual({ kind: 'failed', error: failure });
    expect(storage.map.size).toBe(0);
  });

  it('keeps the session when the server cannot be asked, so that trying again finds it', async () => {
    const storage = memory({ [key]: 'abcdefghij0123456789' });
    const controller = new SessionController({
      lab: 'multi-stage-go',
      api: fakeApi({ getSession: () => Promise.reject(new BallastError('shutting_down')) }),
      storage,
      socketBase: 'ws://127.0.0.1:1',
    });
    await controller.resume();
    expect(controller.state.value.kind).toBe('failed');
    await controller.start();
    expect(storage.map.get(key)).toBe('abcdefghij0123456789');
  });

  it('ends the session, and goes on with it when that is refused', async () => {
    await using server = await startSocketServer();
    let refused = true;
    const storage = memory();
    const controller = new SessionController({
      lab: 'multi-stage-go',
      api: fakeApi({
        createSession: () => Promise.resolve(view({ state: 'ready' })),
        endSession: () => (refused ? Promise.reject(new BallastError('engine_failed')) : Promise.resolve()),
      }),
      storage,
      socketBase: server.url.slice(0, -1),
    });
    await controller.start();
    await server.connection();
    await expect(controller.end()).rejects.toThrow('refused or failed');
    await server.connection();
    expect(controller.state.value.kind).toBe('ready');
    refused = false;
    await controller.end();
    expect(controller.state.value).toEqual({ kind: 'none', notice: 'The sandbox has ended.' });
    expect(storage.map.size).toBe(0);
  });

  it('goes back to the running sandbox when a reset is refused', async () => {
    await using server = await startSocketServer();
    const controller = new SessionController({
      lab: 'multi-stage-go',
      api: fakeApi({
        createSession: () => Promise.resolve(view({ state: 'ready' })),
        resetSession: () => Promise.reject(new BallastError('rate_limited')),
      }),
      storage: memory(),
      socketBase: server.url.slice(0, -1),
    });
    await controller.start();
    await expect(controller.reset('keep')).rejects.toThrow('Too many requests');
    expect(controller.state.value.kind).toBe('ready');
    controller.dispose();
  });

  it('shows its place in the queue, and says what became of a sandbox that ended', async () => {
    await using server = await startSocketServer();
    const queued = view({ state: 'queued', stage: '', progress: 0, queue: { position: 2, waitSeconds: 40 } });
    const controller = new SessionController({
      lab: 'multi-stage-go',
      api: fakeApi({ createSession: () => Promise.resolve(queued) }),
      storage: memory(),
      socketBase: server.url.slice(0, -1),
    });
    await controller.start();
    expect(controller.state.value).toEqual({ kind: 'queued', position: 2, waitSeconds: 40 });
    const peer = await server.connection();
    peer.send({ type: 'session', session: view() });
    await becomes(controller, 'starting');
    peer.send({ type: 'session', session: view({ state: 'closed', stage: 'Its time was up.' }) });
    await becomes(controller, 'none');
    expect(controller.state.value).toEqual({ kind: 'none', notice: 'Its time was up.' });
    controller.dispose();
  });
});
