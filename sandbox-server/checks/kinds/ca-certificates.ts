import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { resolvePath } from '../../images/merged-view.ts';
import { caBundles } from '../ca-bundles.ts';
import type { CheckKind } from '../check-kind.ts';
import { readImageFile } from '../image-file.ts';
import { imageParameter } from '../parameters.ts';
import { whyMissing } from '../why-missing.ts';

const schema = z.strictObject({
  image: imageParameter,
  min: z.int().min(1).max(1000).default(50).describe('Least number of authorities that are valid now.'),
});

/** That a bundle is there, and that it is one. Whether the program uses it, only a call over TLS would show. */
export const caCertificates: CheckKind<z.output<typeof schema>> = {
  name: 'ca-certificates',
  summary: 'The image has a bundle of CA certificates where programs look for it, with enough that are valid now.',
  docs: {
    looksAt:
      'The bundle at the paths where OpenSSL and Go look; its certificates are parsed, each counted once, and their dates compared with today.',
    example: `image: greeter
min: 50`,
    fails:
      'Says which paths were looked at, and how many certificates are valid, expired and broken. The hint tells a bundle that is missing, or that a later layer deletes, from one that is cut short, old or broken.',
    limits: 'That a program uses the bundle shows only in a call: see `tls-call`.',
  },
  schema,
  timeoutMs: 180_000,
  async run({ image, min }, context) {
    const contents = await context.images.read(image, context.signal);
    const expected = `${image} has at least ${String(min)} valid CA certificates where programs look for them.`;
    const path = caBundles.find((bundle) => resolvePath(contents.merged, bundle) !== undefined);
    const text = path === undefined ? null : await readImageFile(context, image, `/${path}`);
    if (path === undefined || text === null) {
      const actual = `There is no bundle: not /${caBundles.join(', not /')}.`;
      const deleted = caBundles.flatMap((bundle) => whyMissing(contents, bundle) ?? []).slice(0, 1);
      return { status: 'fail', expected, actual, hint: [...deleted, whereFrom].join('\n') };
    }
    const count = countCertificates(text, new Date());
    const { valid, expired, broken } = count;
    const actual = `/${path} has ${String(valid)} valid certificates, ${String(expired)} that are not valid now and ${String(broken)} that are broken.`;
    return valid >= min
      ? { status: 'pass', expected, actual }
      : { status: 'fail', expected, actual, hint: advise(count) };
  },
};

const whereFrom =
  'Distroless images bring a bundle along; on Debian it is the package ca-certificates. From scratch, COPY --from a stage that has it: /etc/ssl/certs/ca-certificates.crt.';

/** What to do about a bundle that is there and has too few. */
function advise({ valid, expired, broken }: ReturnType<typeof countCertificates>): string {
  if (valid + expired + broken === 0) return `The file holds no certificate in PEM. ${whereFrom}`;
  if (broken > valid && broken > expired)
    return `Most of it is no certificate: it was cut off or changed on its way. ${whereFrom}`;
  if (expired > valid)
    return `Most of it is not valid now: the bundle is old, or the clock is wrong. Take it from a base image that is newer.`;
  return `It is not the whole bundle of public authorities: copy that as it is and append your own. ${whereFrom}`;
}

/** How many certificates a bundle in PEM has, each counted once: valid at a time, not valid then, and not to be parsed. */
export function countCertificates(text: string, now: Date): { valid: number; expired: number; broken: number } {
  const count = { valid: 0, expired: 0, broken: 0 };
  const seen = new Set<string>();
  for (const [pem] of text.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)) {
    const certificate = parse(pem);
    const print = certificate?.fingerprint256;
    if (print !== undefined && seen.has(print)) continue;
    if (print !== undefined) seen.add(print);
    if (certificate === undefined) count.broken += 1;
    else if (now >= certificate.validFromDate && now <= certificate.validToDate) count.valid += 1;
    else count.expired += 1;
  }
  return count;
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    // Whatever OpenSSL says of it: it is no certificate.
    return undefined;
  }
}
