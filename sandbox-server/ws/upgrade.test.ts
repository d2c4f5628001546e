import { expect, test } from 'vitest';
import { parseTarget } from './upgrade.ts';

const id = 'abcdefghij0123456789';

test('an address names events or a terminal with its size', () => {
  expect(parseTarget(`/api/sessions/${id}/events`)).toEqual({ kind: 'events', session: id });
  expect(parseTarget(`/api/sessions/${id}/terminals/main?cols=120&rows=40`)).toEqual({
    kind: 'terminal',
    session: id,
    name: 'main',
    size: { cols: 120, rows: 40 },
  });
  expect(parseTarget(`/api/sessions/${id}/terminals/t-2`)).toMatchObject({ size: { cols: 80, rows: 24 } });
});

test.each([
  undefined,
  '',
  '/',
  'http://',
  '//[',
  `/api/sessions/${id}`,
  `/api/sessions/${id}/events/more`,
  `/api/sessions/${id}/terminals`,
  `/api/sessions/${id}/terminals/`,
  `/api/sessions/${id}/terminals/A`,
  `/api/sessions/${id}/terminals/main/x`,
  `/api/sessions/${id}/terminals/..`,
  `/api/sessions/${id}/terminals/${'a'.repeat(21)}`,
  '/api/sessions/SHORT/events',
  `/api/sessions/${id}/terminals/main?cols=1`,
  `/api/sessions/${id}/terminals/main?cols=80&rows=x`,
  `/api/sessions/${id}/terminals/main?rows=1e9`,
])('%j is refused', (address) => {
  expect(() => parseTarget(address)).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^(not_found|bad_request)$/) as string }),
  );
});
