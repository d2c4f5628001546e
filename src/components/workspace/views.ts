/** What a narrow screen shows one of at a time. */
export const views = ['lesson', 'files', 'terminal', 'checks'] as const;
export type View = (typeof views)[number];

/** Below this the lesson and the workspace do not fit beside each other. Repeated in the style sheets. */
export const narrowQuery = '(max-width: 759.98px)';

const showEvent = 'ballast:show';
const viewEvent = 'ballast:view';

const isView = (value: unknown): value is View => views.some((view) => view === value);

function listen(type: string, handler: (view: View) => void, signal: AbortSignal): void {
  document.addEventListener(
    type,
    (event) => {
      if (event instanceof CustomEvent && isView(event.detail)) handler(event.detail);
    },
    { signal },
  );
}

/** Asks the page to bring a view to the front. */
export function showView(view: View): void {
  document.dispatchEvent(new CustomEvent(showEvent, { detail: view }));
}

/** Hears `showView`. */
export function onShowView(handler: (view: View) => void, signal: AbortSignal): void {
  listen(showEvent, handler, signal);
}

/** Tells the workspace which view is at the front now. */
export function announceView(view: View): void {
  document.dispatchEvent(new CustomEvent(viewEvent, { detail: view }));
}

/** Hears which view has come to the front. */
export function onView(handler: (view: View) => void, signal: AbortSignal): void {
  listen(viewEvent, handler, signal);
}
