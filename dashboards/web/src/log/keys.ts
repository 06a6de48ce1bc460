/** What the keys do in a log. */

export type LogKey =
  | 'follow' | 'search' | 'next' | 'previous' | 'nextError' | 'previousError' | 'start' | 'end' | 'wrap' | 'times'
  | 'updates' | 'folds' | 'filter' | 'close' | 'lineUp' | 'lineDown' | 'pageUp' | 'pageDown' | 'left' | 'right'

const KEYS: Record<string, LogKey> = {
  f: 'follow', '/': 'search', n: 'next', N: 'previous', e: 'nextError', E: 'previousError', g: 'start', G: 'end',
  w: 'wrap', t: 'times', u: 'updates', z: 'folds', m: 'filter', Home: 'start', End: 'end', k: 'lineUp', j: 'lineDown',
  ArrowUp: 'lineUp', ArrowDown: 'lineDown', PageUp: 'pageUp', PageDown: 'pageDown', ' ': 'pageDown', ArrowLeft: 'left',
  ArrowRight: 'right',
}

/** For the list of keys: what each does, in words. */
export const LOG_KEYS: readonly (readonly [string, string])[] = [
  ['/', 'search the whole log'],
  ['n N', 'next and previous hit'],
  ['m', 'only lines that match'],
  ['e E', 'next and previous error'],
  ['f', 'follow'],
  ['g G', 'first and last line'],
  ['w', 'wrap long lines'],
  ['t', 'times'],
  ['u', 'every update of progress bars'],
  ['z', 'fold tracebacks'],
]

/** What a key that was pressed means, if anything. */
export function keyOf(event: KeyboardEvent, isSearching: boolean): LogKey | undefined {
  const target = event.target instanceof Element ? event.target : undefined
  const isTyping = target?.closest('input, textarea, select, [contenteditable="true"]')
  if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== 'f')) return undefined
  // The browser's own search sees only the lines in view. A second time, it comes.
  if (event.ctrlKey) return isTyping ? undefined : 'search'
  if (event.key === 'Escape') return isSearching ? 'close' : undefined
  if (isTyping) return undefined
  if (event.key === ' ' && target?.closest('button, a')) return undefined
  if (event.key === ' ' && event.shiftKey) return 'pageUp'
  return KEYS[event.key]
}
