import { z } from 'zod';

// Pieces of the kinds' parameters that several of them share.

/** Name of the image that the learner builds. */
export const imageParameter = z
  .string()
  .regex(/^[a-z0-9]+([._/-][a-z0-9]+)*(:[\w][\w.-]*)?$/, 'an image name is like "greeter" or "greeter:slim"')
  .describe('The image to judge, as the learner is told to name it.');

/** Another image that the sandbox has, such as a base image or an earlier build. */
export const otherImageParameter = z
  .string()
  .regex(/^[a-z0-9]+([._/:-]+[a-z0-9]+)*(:[\w][\w.-]*)?$/, 'an image name is like "golang:1.24" or "greeter:fat"');

/** A glob for paths of an image. */
export const pathPattern = z.string().regex(/^[^/]/, 'patterns have no leading slash');

/** A path inside the lab folder. */
export const relativePath = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'must be a relative path without ".."');

export const contextParameter = relativePath.default('.').describe('Build context, relative to the lab folder.');

export const dockerfileParameter = relativePath.default('Dockerfile').describe('Dockerfile, relative to the context.');

export const stageParameter = z.string().regex(/^[a-z][a-z0-9_.-]*$/, 'a stage name is of a-z, 0-9, "-", "_" and "."');
