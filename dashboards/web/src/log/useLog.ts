/** All that a log viewer does, apart from what it looks like. */

import { computed, onBeforeUnmount, onMounted, reactive, shallowRef, watch, type Ref } from 'vue'
import type { Run, Status } from '@/client'
import { bytes } from '@/format/amount'
import { moment } from '@/format/time'
import { theme } from '@/shell/theme'
import { toastError } from '@/ui/toasts'
import { readerOf, sharedFeed } from './api'
import { lastError } from './errors'
import { ErrorWalk } from './errorWalk'
import type { FeedState } from './feed'
import { FilterRows } from './filterRows'
import { follow, newLines, opened } from './follow'
import type { Line } from './line'
import { LogRows, type Options } from './logRows'
import { lookedAt, newestLine, placeOf, samePlace, type LinePlace } from './moment'
import { Palette } from './palette'
import type { Hit } from './search'
import { LogSession, type Whose } from './session'
import { themeOf } from './theme'
import { useSearch } from './useSearch'
import { Viewport, type Elements } from './viewport'

export interface LogProps {
  readonly runId: string
  readonly attempt: number
  readonly status?: Status | undefined
  /** Lines to go to, and to show as meant. */
  readonly lines?: { readonly first: number; readonly last: number } | undefined
  /** A moment to go to, in seconds since the epoch: its newest line is shown as meant. */
  readonly moment?: number | undefined
  /** Whether it is asked when the line came that is looked at. */
  readonly isLocked?: boolean | undefined
  href(number: number): string
}

export function useLog(props: LogProps, elements: Ref<Elements | undefined>, ended: (run: Run | undefined) => void) {
  const whose: Whose = { runId: props.runId, attempt: props.attempt }
  const view = reactive({ isWrapped: false, withTimes: false, everyUpdate: false, isFolded: true })
  const state = reactive({
    phase: 'loading' as LogSession['phase'],
    error: undefined as unknown,
    feedState: 'connecting' as FeedState,
    hasEnded: false,
    total: 0,
    isFollowing: true,
    newLines: 0,
    errors: { count: 0, rank: -1, isBusy: false, isKnown: false, isComplete: true },
    place: undefined as LinePlace | undefined,
  })
  let hovered: number | undefined
  let following = opened(true, 0)
  let edition = -1
  let viewport: Viewport | undefined
  const session = new LogSession(readerOf(whose), sharedFeed(), whose, changed)
  const options: Options = {
    ...view,
    needsTimes: false,
    target: undefined,
    marks: (line) => search.marks(line),
    href: (number) => props.href(number),
  }
  const logRows = new LogRows(session, options)
  const filter = shallowRef<FilterRows>()
  const search = useSearch(() => whose, offsetInView, reach)
  const errors = new ErrorWalk(whose, (number) => session.store.get(number))

  function changed(): void {
    if (session.store.edition !== edition) {
      edition = session.store.edition
      viewport?.forget()
    }
    if (state.phase !== session.phase) state.phase = session.phase
    viewport?.schedule()
  }

  /** Tell what was drawn. */
  function moved(): void {
    if (!viewport) return
    const { total } = session.store
    following = follow(following, { kind: 'moved', isAtEnd: viewport.scroll.isPinned, total })
    const isNew = session.hasEnded && !state.hasEnded
    Object.assign(state, {
      phase: session.phase,
      error: session.error,
      feedState: session.feedState,
      hasEnded: session.hasEnded,
      total,
      isFollowing: following.isFollowing,
      newLines: filter.value ? 0 : newLines(following, total),
      place: samePlace(state.place, placeInView(viewport)),
    })
    if (isNew) ended(session.run)
  }

  /** The line that is looked at. At the end of a log that grows it is the present, and no time is asked for. */
  function placeInView(on: Viewport): LinePlace | undefined {
    const isPresent = following.isFollowing && !session.hasEnded && hovered === undefined
    const wasNeeding = options.needsTimes
    options.needsTimes = !!props.isLocked && !isPresent
    if (options.needsTimes && !wasNeeding) on.schedule()
    if (!options.needsTimes || !session.store.total) return undefined
    const [first, last] = on.inView().map(numberAt) as [number, number]
    const line = lookedAt({ hovered, target: options.target?.first, first, last })
    return placeOf(line, session.store.timeOf(line))
  }

  onMounted(async () => {
    const { value } = elements
    if (!value) return
    const words = { size: bytes, time: (at: string) => `${moment(at)}${at.slice(19, 23)}` }
    viewport = new Viewport(value, logRows, new Palette(themeOf(value.frame)), words, moved)
    viewport.toEnd()
    await open()
  })
  onBeforeUnmount(() => {
    session.close()
    viewport?.close()
  })

  async function open(): Promise<void> {
    await session.open()
    if (session.phase !== 'ready') return
    if (props.lines) goTo(props.lines)
    else if (props.moment !== undefined) await toMoment(props.moment)
    else if (props.status === 'failed') openAtError()
    else viewport?.toEnd()
  }

  function openAtError(): void {
    const lines: Line[] = []
    for (let number = Math.max(1, session.store.total - 399); number <= session.store.total; number++) {
      const line = session.store.get(number)
      if (line) lines.push(line)
    }
    const number = lastError(lines)
    if (number === undefined) return viewport?.toEnd()
    logRows.revealBefore(number)
    show(number, 0.7)
    errors.last = number
  }

  /** Bring a line into view. */
  function show(number: number, share = 0.35, staysOffEnd = false): void {
    if (filter.value) viewport?.toRow(filter.value.indexOf(number), share, staysOffEnd)
    else {
      logRows.reveal(number)
      viewport?.toRow(number - 1, share, staysOffEnd)
    }
  }

  function goTo(lines: { first: number; last: number }): void {
    options.target = lines
    // Who goes to a line near the end of a log that grows means the line, not the end.
    show(lines.first, undefined, !session.hasEnded)
  }

  async function toMoment(moment: number): Promise<void> {
    try {
      const line = await newestLine(whose, moment)
      // Who goes from moment to moment is shown the last one.
      if (moment !== props.moment) return
      if (line !== null) return goTo({ first: line, last: line })
      options.target = undefined
      viewport?.toRow(0, 0)
    } catch (error) {
      toastError(error)
    }
  }

  function reach(hit: Hit | undefined): void {
    if (search.asked.isFilter) setFilter()
    if (!hit || !viewport) return viewport?.schedule()
    const [first, last] = viewport.inView()
    const row = filter.value ? filter.value.indexOf(hit.line) : hit.line - 1
    if (row <= first || row >= last - 1) show(hit.line)
    else viewport.schedule()
  }

  function offsetInView(): number {
    const number = viewport ? numberAt(viewport.inView()[0]) : 1
    return session.store.get(number)?.offset ?? 0
  }

  function numberAt(row: number): number {
    return filter.value ? (filter.value.numberOf(row) ?? 1) : row + 1
  }

  function setFilter(): void {
    const { value } = search.walk
    const number = viewport ? numberAt(viewport.inView()[0]) : 1
    const isOn = search.asked.isFilter && search.state.isOpen && value
    const next: FilterRows | undefined = isOn ? new FilterRows(session, options, value, search.asked.context, () => grown(next, number)) : undefined
    filter.value = next
    viewport?.setRows(next ?? logRows)
    if (!next) viewport?.toRow(number - 1, 0)
  }

  /** The first rows of a filter are shown from the line on that was in view before. */
  function grown(rows: FilterRows | undefined, number: number): void {
    const isFirst = rows && rows === filter.value && !rows.wasShown && rows.total > 0
    if (isFirst) {
      rows.wasShown = true
      viewport?.toRow(rows.indexOf(number), 0)
    } else changed()
  }

  /** Go to the next line that looks like an error, or back. */
  async function moveError(by: 1 | -1): Promise<void> {
    if (!viewport || state.errors.isBusy) return
    state.errors.isBusy = true
    try {
      const [first, last] = viewport.inView()
      const hit = await errors.step(by, first, last)
      Object.assign(state.errors, errors.standing, { isKnown: true })
      if (!hit) return
      options.target = { first: hit.line, last: hit.line }
      logRows.revealBefore(hit.line)
      show(hit.line)
    } catch (error) {
      session.error = error
    } finally {
      state.errors.isBusy = false
    }
  }

  function ask(what: string, row: number): Line | undefined {
    const number = numberAt(row)
    if (what === 'more') return session.store.get(number)
    const key = what === 'updates' ? -number : number
    if (!logRows.opened.delete(key)) logRows.opened.add(key)
    viewport?.schedule()
    return undefined
  }

  function toggleFollow(): void {
    following = follow(following, { kind: 'toggled', total: session.store.total })
    if (following.isFollowing) viewport?.toEnd()
    else viewport?.by(-1)
  }

  watch(view, () => {
    Object.assign(options, view)
    if (!viewport) return
    viewport.isWrapped = view.isWrapped
    viewport.forget()
  })
  watch(() => props.lines, (lines) => {
    if (lines && session.phase === 'ready' && (lines.first !== options.target?.first || lines.last !== options.target.last)) goTo(lines)
  })
  watch(() => props.moment, (moment) => {
    if (moment !== undefined && session.phase === 'ready') void toMoment(moment)
  })
  watch(() => [search.asked.text, search.asked.isRegex, search.asked.ignoreCase], () => search.start())
  watch(() => [search.asked.isFilter, search.asked.context, search.state.isOpen], setFilter)
  watch(search.changes, () => viewport?.schedule())
  function rethink(): void {
    if (!viewport || !elements.value) return
    viewport.palette = new Palette(themeOf(elements.value.frame))
    viewport.forget()
  }
  watch(theme, () => requestAnimationFrame(rethink), { flush: 'post' })
  const dark = window.matchMedia('(prefers-color-scheme: dark)')
  onMounted(() => dark.addEventListener('change', rethink))
  onBeforeUnmount(() => dark.removeEventListener('change', rethink))

  return {
    whose,
    view,
    state,
    search,
    isFiltered: computed(() => filter.value !== undefined),
    open,
    ask,
    moveError,
    toggleFollow,
    numberAt,
    hover: (row: number | undefined) => {
      hovered = row === undefined ? undefined : numberAt(row)
      if (props.isLocked) viewport?.schedule()
    },
    setTarget: (lines: { first: number; last: number } | undefined) => {
      options.target = lines
      viewport?.schedule()
    },
    toStart: () => viewport?.toRow(0, 0),
    toEnd: () => viewport?.toEnd(),
    by: (px: number) => viewport?.by(px),
    page: (share: number) => viewport?.by(share * (viewport.scroll.view - 20)),
    sideways: (px: number) => elements.value && (elements.value.frame.scrollLeft += px),
  }
}

export type Log = ReturnType<typeof useLog>
