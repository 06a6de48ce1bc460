/** The keys of the whole page. Views add their own where they are shown. */
import { onScopeDispose } from 'vue'
import { openSubmit } from '@/submit/open'
import { LOG_KEYS } from '@/log/keys'
import { beginGoing, goFurther } from './go'
import { offers } from './offers'
import { places } from './places'

export interface KeyGroup {
  title: string
  keys: readonly (readonly [string, string])[]
}

export const KEY_GROUPS: readonly KeyGroup[] = [
  { title: 'Everywhere', keys: [['Ctrl K', 'find or do'], ['?', 'these keys'], ['c', 'new run'], ['Esc', 'close what is open']] },
  { title: 'Go to', keys: places.map((place) => [`g ${place.key}`, place.title] as const) },
  { title: 'In a list of runs', keys: [['j k', 'next, previous'], ['Enter', 'open the page of the run'], ['Space', 'look inside beside the list'], ['x', 'select'], ['/', 'search']] },
  { title: 'On a run', keys: [['h', 'hold a queued run, release it'], ['s', 'hold a running run still, let it go on'], ['p', 'priority']] },
  { title: 'In a graph of a run', keys: [['← →', 'the moment before, after; the log goes along'], ['Home End', 'its first and last moment'], ['Esc', 'let go of the moment']] },
  { title: 'In a comparison', keys: [['n N', 'next and previous difference']] },
  { title: 'On a batch', keys: [['h r', 'hold and release its queued runs'], ['p', 'priority']] },
  { title: 'In a log', keys: LOG_KEYS },
]

/** Whether a key goes to something that takes text or its own keys. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null
  return !!target?.closest('input, textarea, select, [contenteditable="true"], [role="dialog"], [role="menu"], [role="log"], [data-own-keys]')
}

function doOffered(key: string): boolean {
  const found = offers().find((each) => each.key === key)
  found?.do()
  return found !== undefined
}

export function useKeys(open: { palette: () => void; help: () => void }): void {
  function pressed(event: KeyboardEvent) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault()
      return open.palette()
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event)) return
    if (goFurther(event)) return event.preventDefault()
    if (event.key === 'g') beginGoing(event)
    else if (event.key === '?') open.help()
    else if (event.key === 'c') openSubmit()
    else if (!doOffered(event.key)) return
    event.preventDefault()
  }

  window.addEventListener('keydown', pressed)
  onScopeDispose(() => window.removeEventListener('keydown', pressed))
}
