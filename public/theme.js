// Runs before the first paint: a remembered theme must not flash, and what needs scripts may show itself.
(() => {
  const root = document.documentElement;
  root.classList.add('js');
  try {
    const theme = localStorage.getItem('ballast:theme');
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  } catch {
    // Storage is blocked: the system's preference decides.
  }
})();
