/** Runs as the stream last told of them. Lists and pages read from the server, and show these over what they read. */
import { shallowReactive } from 'vue'
import type { Run } from '@/client'

/** Ended runs are kept for lists that show them; beyond so many, the oldest told of goes. */
const KEPT = 5_000

export const liveRuns = shallowReactive(new Map<string, Run>())

export const isActive = (run: Run) => run.status === 'queued' || run.status === 'running'

export function takeRun(run: Run): void {
  const before = liveRuns.get(run.run_id)
  // Only the server's own answers say what a queued run waits for; an event does not take it away.
  const isWaiting = run.status === 'queued' && run.waiting_for == null && before?.terms?.held === run.terms?.held
  liveRuns.set(run.run_id, isWaiting && before ? { ...run, waiting_for: before.waiting_for } : run)
  if (liveRuns.size > KEPT) forgetOldest()
}

export function takeRuns(runs: readonly Run[]): void {
  for (const run of runs) takeRun(run)
}

/** Returns the run as last told of, or as `read` when the stream told nothing of it. */
export function newest(read: Run): Run {
  return liveRuns.get(read.run_id) ?? read
}

function forgetOldest(): void {
  for (const [runId, run] of liveRuns) {
    if (isActive(run)) continue
    liveRuns.delete(runId)
    return
  }
}
