import { z } from 'zod';
import { resolvePath } from '../../images/merged-view.ts';
import type { CheckKind } from '../check-kind.ts';
import { imageParameter } from '../parameters.ts';
import { whyMissing } from '../why-missing.ts';

const schema = z.strictObject({
  image: imageParameter,
  zones: z
    .array(z.string().regex(/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/, 'a zone is like "Europe/Berlin"'))
    .min(1)
    .default(['Europe/Berlin', 'America/New_York', 'Asia/Tokyo'])
    .describe('Zones that must be known.'),
});

const folder = 'usr/share/zoneinfo';

/** Data that a program carries inside of itself does not show here: what is judged is what any program would find. */
export const timeZoneData: CheckKind<z.output<typeof schema>> = {
  name: 'time-zone-data',
  summary: `The image has time zone data in /${folder}.`,
  docs: {
    looksAt: 'Files of /usr/share/zoneinfo in the merged view, for the zones named.',
    example: `image: greeter
zones: [Europe/Berlin]`,
    fails:
      'Names the zones that are missing. The hint says which layer had them and which one deletes them, or where the data comes from.',
    limits: `Data that a program carries inside of itself (Go's time/tzdata) does not show.`,
  },
  schema,
  timeoutMs: 180_000,
  async run({ image, zones }, { images, signal }) {
    const contents = await images.read(image, signal);
    const { merged } = contents;
    const expected = `${image} knows the time zones ${zones.join(', ')}.`;
    const missing = zones.filter((zone) => {
      const path = resolvePath(merged, `${folder}/${zone}`);
      const entry = path === undefined ? undefined : merged.get(path)?.entry;
      return entry === undefined || (entry.type !== 'hardlink' && entry.sizeBytes === 0);
    });
    if (missing.length === 0) return { status: 'pass', expected, actual: `All of them are in /${folder}.` };
    const any = [...merged.keys()].some((path) => path.startsWith(`${folder}/`));
    return {
      status: 'fail',
      expected,
      actual: any ? `/${folder} has no ${missing.join(', ')}.` : `There is no /${folder} in the image.`,
      hint: [
        ...missing.flatMap((zone) => whyMissing(contents, `${folder}/${zone}`) ?? []).slice(0, 1),
        any
          ? 'Is the name right, and is it all of the data that was copied? A zone is a file below that folder.'
          : 'Distroless images bring time zones along; on Debian it is the package tzdata. From scratch, COPY --from a stage that has it.',
      ].join('\n'),
    };
  },
};
