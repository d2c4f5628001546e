import { expect, test, vi } from 'vitest';
import type { Engine } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { outlastEngine } from './outlast-engine.ts';

const engineThat = (info: () => Promise<unknown>): Engine => ({ info }) as unknown as Engine;
const quiet = { signal: new AbortController().signal, onWait: () => undefined, pauseMs: 1 };

test('an engine that comes back is asked again; one that goes on refusing is not', async () => {
  let answers = 0;
  const engine = engineThat(() => ((answers += 1) > 3 ? Promise.resolve() : Promise.reject(new Error('gone'))));
  const task = vi.fn<() => Promise<string>>();
  task.mockRejectedValueOnce(new BallastError('engine_failed'));
  task.mockRejectedValueOnce(new BallastError('engine_missing'));
  task.mockResolvedValue('done');
  expect(await outlastEngine(engine, task, quiet)).toBe('done');
  expect(answers).toBe(5);

  const refusing = vi.fn(() => Promise.reject(new BallastError('engine_failed')));
  await expect(outlastEngine(engine, refusing, quiet)).rejects.toMatchObject({ code: 'engine_failed' });
  expect(refusing).toHaveBeenCalledTimes(5);
});

test('what is not the fault of the engine is not tried again; neither is what was called off', async () => {
  const engine = engineThat(() => Promise.resolve());
  const failing = vi.fn(() => Promise.reject(new BallastError('sandbox_failed')));
  await expect(outlastEngine(engine, failing, quiet)).rejects.toMatchObject({ code: 'sandbox_failed' });
  expect(failing).toHaveBeenCalledOnce();

  const off = new AbortController();
  const gone = vi.fn(() => Promise.reject(new BallastError('engine_missing')));
  const onWait = (): void => {
    off.abort(new BallastError('shutting_down'));
  };
  const calledOff = outlastEngine(engine, gone, { signal: off.signal, onWait });
  await expect(calledOff).rejects.toMatchObject({ code: 'shutting_down' });
});
