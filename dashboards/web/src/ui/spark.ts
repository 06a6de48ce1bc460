/** The line of a sparkline, 60 wide and 20 high, newest at the right; null without two values. */
export function sparkPath(
  values: readonly number[],
  limit: number,
  slots: number,
): { line: string; start: string; end: string } | null {
  const shown = values.slice(-slots)
  if (shown.length < 2) return null
  const top = limit > 0 ? limit : Math.max(...shown, 1e-9)
  const step = 60 / (slots - 1)
  const first = 60 - (shown.length - 1) * step
  const points = shown.map((value, at) => {
    const y = 20 - Math.min(1, Math.max(0, value / top)) * 19
    return `${(first + at * step).toFixed(1)},${y.toFixed(1)}`
  })
  return { line: `M${points.join(' L')}`, start: first.toFixed(1), end: '60' }
}
