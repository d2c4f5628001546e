import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildApp } from '../dist/app.js';

const app = buildApp();

test('it is well', async () => {
  const answer = await app.inject('/healthz');
  assert.equal(answer.body, 'ok\n');
});

test('the lightest comes first', async () => {
  const answer = await app.inject('/containers');
  assert.deepEqual(
    answer.json().map(({ kg }) => kg),
    [4200, 18050, 21400],
  );
});

test('only those that are light enough', async () => {
  const answer = await app.inject('/containers?maxKg=20000');
  assert.equal(answer.json().length, 2);
});

test('a weight that is none is refused', async () => {
  const answer = await app.inject('/containers?maxKg=much');
  assert.equal(answer.statusCode, 400);
});

test('one that is not there', async () => {
  const answer = await app.inject('/containers/NONE-0000');
  assert.equal(answer.statusCode, 404);
});
