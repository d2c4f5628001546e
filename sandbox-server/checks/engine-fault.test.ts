import { expect, it } from 'vitest';
import { parseBuildFailure } from './build-log.ts';
import { isEngineFault } from './engine-fault.ts';

const isFault = (error: string): boolean => isEngineFault(parseBuildFailure(`ERROR: ${error}\n`));

it.each([
  'Cannot connect to the Docker daemon at unix:///run/docker.sock. Is the docker daemon running?',
  'failed to solve: Unavailable: error reading from server: EOF',
  'failed to solve: rpc error: code = Unavailable desc = error reading from server: EOF',
  'failed to receive status: rpc error: code = Unavailable desc = closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: NO_ERROR',
  'failed to receive status: rpc error: code = Unavailable desc = transport is closing',
  'failed to solve: error reading from server: EOF',
  'failed to solve: write /x: no space left on device',
  'failed to solve: failed to compute cache key: failed to copy: write /a b: no space left on device',
  'failed to solve: failed to copy files: copy file range failed: no space left on device',
])("is the engine's: %s", (error) => {
  expect(isFault(error)).toBe(true);
});

it.each([
  'failed to solve: failed to compute cache key: failed to calculate checksum of ref x::y: "/Cannot connect to the Docker daemon": not found',
  'failed to solve: failed to compute cache key: failed to calculate checksum of ref x::y: "/write x: no space left on device": not found',
  'failed to solve: rpc error: code = Unknown desc = failed to compute cache key: "/error reading from server": not found',
  'failed to solve: failed to process "${x:?write x: no space left on device}": x: write x: no space left on device',
  'failed to solve: dockerfile parse error on line 1: unknown instruction: transport is closing',
  'failed to solve: target stage "closed unexpectedly" could not be found',
  'failed to solve: golang:1.99: failed to resolve source metadata for x: dial tcp: write x: no space left on device',
  'failed to solve: process "/bin/sh -c echo no space left on device" did not complete successfully: exit code: 1',
])("is not the engine's: %s", (error) => {
  expect(isFault(error)).toBe(false);
});
