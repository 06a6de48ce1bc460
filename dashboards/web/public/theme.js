// Before the first paint, so that the page never flashes in the other theme. A file: the policy allows no inline script.
try {
  const theme = localStorage.getItem('runyard.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage is switched off: the system's theme it is.
}
