import { forgivingStore } from '../../client/storage.ts';

export interface SplitterOptions {
  /** `x` moves a vertical bar, `y` a horizontal one. */
  readonly axis: 'x' | 'y';
  /** Key in localStorage under which the position is kept. */
  readonly storageKey: string;
  /** Share of the first pane, in percent, when nothing is remembered. */
  readonly initial: number;
  /** Least size of the panes before and after the bar, in CSS pixels. */
  readonly minBefore: number;
  readonly minAfter: number;
}

const stepPercent = 2;
const pageStepPercent = 10;

/**
 * Makes `handle` (role="separator") move the border between its neighbours: by pointer, arrow keys, Page Up and Down,
 * Home, End; Enter or a double click go back to the start. The first pane's share goes to `--split` on the parent.
 * Gives the function that takes all of it back.
 */
export function attachSplitter(handle: HTMLElement, options: SplitterOptions): () => void {
  const container = handle.parentElement;
  if (container === null) return () => undefined;
  const storage = forgivingStore(() => localStorage);
  const stop = new AbortController();
  const { signal } = stop;
  let percent = options.initial;

  const limits = (): { least: number; most: number } => {
    const box = container.getBoundingClientRect();
    const length = options.axis === 'x' ? box.width : box.height;
    if (length < options.minBefore + options.minAfter) return { least: options.initial, most: options.initial };
    return { least: (options.minBefore / length) * 100, most: 100 - (options.minAfter / length) * 100 };
  };
  const place = (wanted: number, keep: boolean): void => {
    const { least, most } = limits();
    percent = Math.min(most, Math.max(least, wanted));
    container.style.setProperty('--split', `${percent.toFixed(2)}%`);
    handle.setAttribute('aria-valuenow', percent.toFixed(0));
    handle.setAttribute('aria-valuemin', least.toFixed(0));
    handle.setAttribute('aria-valuemax', most.toFixed(0));
    if (keep) storage.setItem(options.storageKey, percent.toFixed(2));
  };

  const [less, more] = options.axis === 'x' ? ['ArrowLeft', 'ArrowRight'] : ['ArrowUp', 'ArrowDown'];
  const onKey = (event: KeyboardEvent): void => {
    const moves: Record<string, number> = {
      [less]: percent - stepPercent,
      [more]: percent + stepPercent,
      PageUp: percent - pageStepPercent,
      PageDown: percent + pageStepPercent,
      Home: 0,
      End: 100,
      Enter: options.initial,
    };
    const wanted = moves[event.key];
    if (wanted === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    place(wanted, true);
  };
  const onMove = (event: PointerEvent): void => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = container.getBoundingClientRect();
    const share =
      options.axis === 'x' ? (event.clientX - box.left) / box.width : (event.clientY - box.top) / box.height;
    place(share * 100, true);
  };

  handle.addEventListener('keydown', onKey, { signal });
  handle.addEventListener(
    'pointerdown',
    (event) => {
      if (event.button !== 0) return;
      handle.setPointerCapture(event.pointerId);
      handle.dataset['dragging'] = '';
      // Else the drag selects text; but without the default the handle has to be focused by us.
      event.preventDefault();
      handle.focus();
    },
    { signal },
  );
  handle.addEventListener('pointermove', onMove, { signal });
  handle.addEventListener(
    'lostpointercapture',
    () => {
      delete handle.dataset['dragging'];
    },
    { signal },
  );
  handle.addEventListener(
    'dblclick',
    () => {
      place(options.initial, true);
    },
    { signal },
  );

  const remembered = Number(storage.getItem(options.storageKey) ?? Number.NaN);
  const wanted = Number.isFinite(remembered) ? remembered : options.initial;
  const observer = new ResizeObserver(() => {
    place(percent, false);
  });
  place(wanted, false);
  observer.observe(container);
  signal.addEventListener('abort', () => {
    observer.disconnect();
  });
  return () => {
    stop.abort();
  };
}
