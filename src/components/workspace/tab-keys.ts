/** Arrow keys, Home and End in a tab list: focus and select another of its tabs, as a click on it would. */
export function onTabKey(event: KeyboardEvent): void {
  const { currentTarget } = event;
  if (!(currentTarget instanceof HTMLElement)) return;
  const list = currentTarget.closest('[role="tablist"]');
  const tabs = [...(list?.querySelectorAll<HTMLElement>('[role="tab"]') ?? [])];
  const at = tabs.indexOf(currentTarget);
  const targets: Record<string, number> = {
    ArrowLeft: (at - 1 + tabs.length) % tabs.length,
    ArrowRight: (at + 1) % tabs.length,
    Home: 0,
    End: tabs.length - 1,
  };
  const tab = tabs[targets[event.key] ?? -1];
  if (tab === undefined) return;
  event.preventDefault();
  tab.focus();
  tab.click();
}
