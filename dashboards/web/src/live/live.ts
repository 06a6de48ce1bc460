/** What is live on the page: one stream for the tab, its runs, its samples, and who is told of changes. */
import { readonly, ref, shallowRef } from 'vue'
import { runsListRuns, type Run } from '@/client'
import { call, root } from '@/api/call'
import type { Change, StreamEvent, StreamState } from './event'
import { liveRuns, takeRun, takeRuns } from './runs'
import { takeUsage } from './samples'
import { openStream, type Stream } from './stream'

/** Changes are shown together, at most so many milliseconds late: a burst costs few renderings. */
const GATHER = 60

const state = ref<StreamState>('connecting')
const heardAt = ref(Date.now())
/** Counts how often everything was read again. */
const resyncs = ref(0)
const listeners = new Set<(changes: Change[]) => void>()
const watched = shallowRef<ReadonlySet<string>>(new Set())
let gathered: Change[] = []
let timer: ReturnType<typeof setTimeout> | undefined
let stream: Stream | undefined

export const live = { state: readonly(state), heardAt: readonly(heardAt), resyncs: readonly(resyncs), watched }

/** Opens the tab's one stream. It stays open while hidden only when somebody waits for a run's end. */
export function startLive(): void {
  const isWanted = () => !document.hidden || watched.value.size > 0
  stream = openStream(root, { onState: (now) => (state.value = now), onEvent, onResync: () => void resync() }, isWanted)
}

export function reconnect(): void {
  stream?.reconnect()
}

/** Calls `listener` with the changes that came, a few at a time. Returns what ends that. */
export function onChanges(listener: (changes: Change[]) => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Tells when the run ends, also while the tab is hidden; again to stop that. */
export function toggleWatch(runId: string): void {
  const now = new Set(watched.value)
  if (!now.delete(runId)) now.add(runId)
  watched.value = now
}

function onEvent(event: StreamEvent): void {
  heardAt.value = Date.now()
  if (event.kind === 'usage') return takeUsage(event)
  gathered.push(event)
  timer ??= setTimeout(flush, GATHER)
}

function flush(): void {
  const changes = gathered
  gathered = []
  timer = undefined
  const newest = new Map<string, Run>()
  for (const change of changes) if (change.run) newest.set(change.run.run_id, change.run)
  for (const run of newest.values()) takeRun(run)
  for (const listener of listeners) listener(changes)
}

/** Reads what is active; what is older on the page is read again by those who show it. */
async function resync(): Promise<void> {
  heardAt.value = Date.now()
  try {
    const page = await call((o) => runsListRuns({ ...o, query: { status: ['running'], limit: 1000 } }))
    const now = new Set(page.runs.map((run) => run.run_id))
    for (const run of liveRuns.values()) {
      // It ended while nobody listened; lists that show it read it again.
      if (run.status === 'running' && !now.has(run.run_id)) liveRuns.delete(run.run_id)
    }
    takeRuns(page.runs)
    resyncs.value++
  } catch {
    // The stream notices too that the server is gone, and all is read again once it is back.
  }
}
