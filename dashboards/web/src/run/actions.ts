/** What is done to runs: shown at once, and taken back when the server refuses. */
import { reactive } from 'vue'
import { runsCancel, runsRestart, type RestartIn, type Run } from '@/client'
import { call, root } from '@/api/call'
import { takeRun } from '@/live/runs'
import { router } from '@/router'
import { changedWords } from '@/run/words'
import { toast, toastError } from '@/ui/toasts'

/** A queued run is cancelled after this many seconds, so that it can be undone without a trace. */
export const UNDO_SECONDS = 5
/** Calls under way at once: browsers allow six to a host, and the stream has one. */
const AT_ONCE = 4

/** Runs that somebody cancelled here, until the server says that they ended. */
export const cancelling = reactive(new Set<string>())
const undoable = new Map<string, string | undefined>()

/** Cancels runs: those that run at once, queued ones after the time to undo it. */
export function cancelRuns(runs: readonly Run[], reason?: string): void {
  const running = runs.filter((run) => run.status === 'running' && !cancelling.has(run.run_id))
  const queued = runs.filter((run) => run.status === 'queued' && !cancelling.has(run.run_id))
  for (const run of [...running, ...queued]) cancelling.add(run.run_id)
  if (running.length) void cancelNow(running.map((run) => run.run_id), reason)
  if (queued.length) cancelSoon(queued.map((run) => run.run_id), reason)
}

/** Submits a run again, with edits if given. Returns the new run; throws CallError. */
export async function restartRun(run: Run, edits: RestartIn = {}): Promise<Run> {
  // A repeated click or a lost answer makes no second run.
  const headers = { 'Idempotency-Key': newKey() }
  const made = await call((o) => runsRestart({ ...o, path: { run_id: run.run_id }, body: edits, headers }))
  takeRun(made)
  return made
}

/** Submits each run again as it was, and tells of it. */
export async function restartRuns(runs: readonly Run[]): Promise<void> {
  const made: Run[] = []
  await inTurn(runs, async (run) => {
    made.push(await restartRun(run))
  })
  const only = made.length === 1 ? made[0] : undefined
  const show = () => void router.push(`/runs/${only?.run_id}`)
  if (only) toast([`${only.module_name} is submitted again`, changedWords(only)].filter(Boolean).join('. '), { action: { label: 'Show', do: show } })
  else if (made.length) toast(`${made.length} runs are submitted again`)
}

/** randomUUID is for secure contexts only, which a page of another machine without TLS is not. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('')

function cancelSoon(runIds: readonly string[], reason?: string): void {
  for (const runId of runIds) undoable.set(runId, reason)
  const timer = setTimeout(() => {
    for (const runId of runIds) undoable.delete(runId)
    void cancelNow(runIds, reason)
  }, UNDO_SECONDS * 1000)
  const words = runIds.length === 1 ? 'The queued run is cancelled' : `${runIds.length} queued runs are cancelled`
  const undo = () => {
    clearTimeout(timer)
    for (const runId of runIds) {
      undoable.delete(runId)
      cancelling.delete(runId)
    }
  }
  toast(words, { seconds: UNDO_SECONDS, action: { label: 'Undo', do: undo } })
}

async function cancelNow(runIds: readonly string[], reason?: string): Promise<void> {
  await inTurn(runIds, async (runId) => {
    try {
      takeRun(await call((o) => runsCancel({ ...o, path: { run_id: runId }, body: reason ? { reason } : undefined })))
    } finally {
      cancelling.delete(runId)
    }
  })
}

/** Does the work for all, a few at a time; tells of the first failures and goes on. */
export async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  let told = 0
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      try {
        await work(item)
      } catch (error) {
        if (told++ < 2) toastError(error)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

// Who leaves the page within the time to undo meant it: what was cancelled is sent on the way out.
window.addEventListener('pagehide', () => {
  for (const [runId, reason] of undoable)
    void fetch(`${root}/api/runs/${runId}/cancel`, {
      method: 'POST',
      keepalive: true,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(reason ? { reason } : {}),
    })
  undoable.clear()
})
