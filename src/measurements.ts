import { measurements, type MeasuredImage, type MeasuredRebuild } from '../sandbox-server/protocol/measurements.ts';
import results from '../measurements/results.json' with { type: 'json' };
import { formatBytes } from './client/format.ts';

/** All that `npx ballast measure` found. */
export const measured = measurements.parse(results);

/** What a `<Measured>` shows: one figure of an image, of two images compared, or of a rebuild. */
export interface MeasuredProps {
  /** Id of an image in measurements/recipes.yaml. */
  readonly image?: string;
  /** Which of its figures; its size when left out. */
  readonly show?: 'size' | 'packages' | 'files' | 'programs' | 'share' | 'cached' | 'steps';
  /** Another image: then it is how many times as much the first has. */
  readonly over?: string;
  /** Id of a rebuild. */
  readonly rebuild?: string;
}

/** The figure as text, and what it is. */
export interface MeasuredFigure {
  readonly text: string;
  readonly value: number;
  readonly title: string;
}

/** @throws Error when it names what was not measured: a lesson with a number that does not resolve is not built. */
export function measuredFigure(props: MeasuredProps, from = measured): MeasuredFigure {
  const { image, rebuild } = props;
  if ((image === undefined) === (rebuild === undefined)) throw new Error('<Measured> takes an image or a rebuild.');
  const { title, equivalent, text, value } =
    image === undefined
      ? rebuildFigure(named(from.rebuilds, rebuild ?? ''), props)
      : imageFigure(named(from.images, image), props, (id) => named(from.images, id));
  const note = equivalent ? ', with an equivalent of the official base image' : '';
  return { text, value, title: `${title}. Measured on ${from.measuredOn}${note}.` };
}

/** @throws Error when it was not measured */
export const measuredImage = (id: string): MeasuredImage => named(measured.images, id);

function named<Entry>(entries: Readonly<Record<string, Entry>>, id: string): Entry {
  const found = entries[id];
  if (found !== undefined) return found;
  throw new Error(`Nothing is measured as "${id}": add it to measurements/recipes.yaml and run "npx ballast measure".`);
}

interface Figure extends Omit<MeasuredFigure, 'title'> {
  readonly title: string;
  readonly equivalent: boolean;
}

const counts = { size: 'sizeBytes', packages: 'packages', files: 'files', programs: 'programs' } as const;

function imageFigure(
  entry: MeasuredImage,
  { show = 'size', over }: MeasuredProps,
  find: (id: string) => MeasuredImage,
): Figure {
  if (!isCount(show)) throw new Error(`An image has no "${show}".`);
  const value = entry[counts[show]];
  if (over === undefined) {
    const text = show === 'size' ? formatBytes(value) : value.toLocaleString('en');
    return { text, value, title: `${entry.title}: ${show}`, equivalent: entry.equivalent };
  }
  const other = find(over);
  const ratio = value / other[counts[show]];
  if (!Number.isFinite(ratio)) throw new Error(`"${over}" has no ${show} to compare with.`);
  const text = ratio < 9.95 ? String(Number(ratio.toFixed(1))) : Math.round(ratio).toLocaleString('en');
  return {
    text,
    value: ratio,
    title: `${entry.title}, compared with ${other.title}: ${show}`,
    equivalent: entry.equivalent || other.equivalent,
  };
}

const isCount = (show: string): show is keyof typeof counts => show in counts;

function rebuildFigure({ title, share, cached, steps }: MeasuredRebuild, { show = 'share' }: MeasuredProps): Figure {
  const plain = (value: number): Figure => ({ text: String(value), value, title, equivalent: false });
  if (show === 'cached') return plain(cached);
  if (show === 'steps') return plain(steps);
  if (show !== 'share') throw new Error(`A rebuild has no "${show}".`);
  return { ...plain(share), text: `${String(Math.max(1, Math.round(share * 100)))} %` };
}
