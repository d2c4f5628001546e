import { describe, expect, it } from 'vitest';
import { BallastError } from '../../protocol/index.ts';
import { engineLookup, isNotFound, toBallastError } from './errors.ts';

const httpError = (statusCode: number, message: string): Error =>
  Object.assign(new Error(`(HTTP code ${String(statusCode)}) unexpected - ${message}`), {
    statusCode,
    json: { message },
  });
const socketError = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });

describe('toBallastError', () => {
  it.each([
    [socketError('ENOENT'), 'engine_missing'],
    [socketError('ECONNREFUSED'), 'engine_missing'],
    [socketError('ENOTFOUND'), 'engine_missing'],
    [socketError('EACCES'), 'engine_denied'],
    [socketError('ENOSPC'), 'disk_full'],
    [httpError(500, 'write /var/lib/x: no space left on device'), 'disk_full'],
    [httpError(404, 'No such image: golang:1.99'), 'image_not_found'],
    [httpError(404, 'No such container: abc'), 'engine_failed'],
    [httpError(404, 'manifest for golang:1.99 not found: manifest unknown'), 'image_not_found'],
    [httpError(500, 'anything else'), 'engine_failed'],
    ['a string', 'engine_failed'],
  ])('turns %s into %s', (cause, code) => {
    expect(toBallastError(cause, 'do it').code).toBe(code);
  });

  it("quotes the engine's own words and what was being done", () => {
    expect(toBallastError(httpError(500, 'broken'), 'create the sandbox').message).toBe(
      'Could not create the sandbox: broken',
    );
  });

  it('leaves a BallastError as it is', () => {
    const error = new BallastError('disk_full');
    expect(toBallastError(error, 'do it')).toBe(error);
  });
});

describe('engineLookup', () => {
  it('answers null to 404 only', async () => {
    expect(isNotFound(httpError(404, 'No such volume'))).toBe(true);
    expect(await engineLookup('look', () => Promise.reject(httpError(404, 'No such volume')))).toBeNull();
    await expect(engineLookup('look', () => Promise.reject(httpError(500, 'broken')))).rejects.toMatchObject({
      code: 'engine_failed',
    });
  });
});
