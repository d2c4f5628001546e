interface Ordered {
  readonly data: {
    readonly order: number;
    readonly track?: string | undefined;
    readonly capstone: boolean;
  };
}

const group = ({ data }: Ordered): number => (data.track !== undefined ? 2 : data.capstone ? 1 : 0);

/** Lessons, then the capstone, then the tracks, each by their own order. */
export function inOrder<Lesson extends Ordered>(lessons: readonly Lesson[]): Lesson[] {
  return lessons.toSorted((a, b) => group(a) - group(b) || a.data.order - b.data.order);
}

/**
 * The lesson to go on with after one of those in order. Lessons lead to the next one and to the capstone; a track is
 * for its own sake.
 */
export function nextOf<Lesson extends Ordered>(lessons: readonly Lesson[], index: number): Lesson | undefined {
  const next = lessons[index + 1];
  return next?.data.track === undefined ? next : undefined;
}
