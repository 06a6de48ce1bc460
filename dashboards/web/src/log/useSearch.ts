/** The search of a log: what is looked for, where one is in what was found, and whether only that is shown. */

import { reactive, ref, shallowRef } from 'vue'
import { search, type SearchFor } from './api'
import type { Line } from './line'
import type { Mark } from './row'
import { HitWalk, localPattern, type Hit } from './search'
import type { Whose } from './session'

/** Typing waits so long for the next letter before the whole log is searched. */
const PAUSE_MS = 250

export function useSearch(whose: () => Whose, from: () => number, reach: (hit: Hit | undefined) => void) {
  const asked = reactive({ text: '', isRegex: false, ignoreCase: true, isFilter: false, context: 0 })
  const state = reactive({ isOpen: false, isBusy: false, error: '', count: 0, rank: -1, isComplete: true })
  const walk = shallowRef<HitWalk>()
  const changes = ref(0)
  let pattern: RegExp | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: AbortController | undefined

  /** Search anew, soon or at once. */
  function start(pause = PAUSE_MS): void {
    clearTimeout(timer)
    running?.abort()
    timer = setTimeout(() => void run(), pause)
  }

  async function run(): Promise<void> {
    const what: SearchFor = { text: asked.text, isRegex: asked.isRegex, ignoreCase: asked.ignoreCase }
    pattern = what.isRegex ? undefined : localPattern(what.text, false, what.ignoreCase)
    state.error = ''
    if (!what.text) return clear()
    const controller = new AbortController()
    running = controller
    const found = new HitWalk((wanted) => search(whose(), what, wanted, controller.signal))
    await step(() => found.start(from()), controller, found)
  }

  /** Go to the next hit, or back to the one before. */
  async function move(by: 1 | -1): Promise<void> {
    const { value } = walk
    if (value && running) await step(() => value.move(by), running, value)
  }

  async function step(go: () => Promise<Hit | undefined>, controller: AbortController, on: HitWalk): Promise<void> {
    state.isBusy = true
    try {
      const hit = await go()
      if (controller !== running) return
      walk.value = on
      Object.assign(state, { count: on.count, rank: on.rank, isComplete: on.isComplete })
      changes.value++
      reach(hit)
    } catch (error) {
      if (controller !== running || controller.signal.aborted) return
      state.error = wordsOf(error)
      forget()
    } finally {
      if (controller === running) state.isBusy = false
    }
  }

  function clear(): void {
    running = undefined
    state.isBusy = false
    state.error = ''
    forget()
  }

  function forget(): void {
    walk.value = undefined
    Object.assign(state, { count: 0, rank: -1, isComplete: true })
    changes.value++
  }

  /** What to mark in a line in view. Patterns are for the server alone: the browser could be stuck in one for ever. */
  function marks(line: Line): Mark[] {
    if (!state.isOpen || !walk.value) return []
    const current = walk.value.current
    const isCurrent = (start: number) => current?.line === line.number && current.before.length === start
    if (asked.isRegex) {
      return [...walk.value.within(line.number, line.number)]
        .filter((hit) => line.text.startsWith(hit.before + hit.match))
        .map((hit) => ({ start: hit.before.length, end: hit.before.length + hit.match.length, isCurrent: isCurrent(hit.before.length) }))
        .sort((one, other) => one.start - other.start)
    }
    if (!pattern) return []
    return Array.from(line.text.matchAll(pattern), ({ index, 0: text }) => ({ start: index, end: index + text.length, isCurrent: isCurrent(index) }))
  }

  return { asked, state, walk, changes, start, move, clear, marks }
}

export type Search = ReturnType<typeof useSearch>

function wordsOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/^q: /, '')
}
