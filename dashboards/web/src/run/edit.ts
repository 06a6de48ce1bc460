/** What is changed of runs that wait or run: shown at once, taken back when the server refuses. */
import { runsEdit, runsHold, runsRelease, runsResume, runsSuspend, type Run, type Terms } from '@/client'
import { call } from '@/api/call'
import { liveRuns, takeRun } from '@/live/runs'
import { toastError } from '@/ui/toasts'

/** As the server has them: whole numbers, and no run needs more. */
export const HIGHEST_PRIORITY = 1_000_000

export const isHeld = (run: Run): boolean => run.terms?.held ?? false

/** Keeps a queued run from starting, or lets it go on. Returns whether the server agreed. */
export function setHeld(run: Run, held: boolean): Promise<boolean> {
  const path = { run_id: run.run_id }
  // Most runs have no terms; until the server's answer, nothing but `held` is read of them.
  const shown = { ...run, terms: { ...(run.terms ?? {}), held } as Terms }
  return change(run, shown, (o) => (held ? runsHold({ ...o, path }) : runsRelease({ ...o, path })))
}

/** Gives a run that has not ended another priority. Returns whether the server agreed. */
export function setPriority(run: Run, priority: number): Promise<boolean> {
  return change(run, { ...run, priority }, (o) => runsEdit({ ...o, path: { run_id: run.run_id }, body: { priority } }))
}

/** Holds a running run still, or lets it go on. Returns whether the server agreed. */
export function setSuspended(run: Run, suspended: boolean): Promise<boolean> {
  const path = { run_id: run.run_id }
  return change(run, { ...run, suspended }, (o) => (suspended ? runsSuspend({ ...o, path }) : runsResume({ ...o, path })))
}

async function change(before: Run, shown: Run, request: Parameters<typeof call<Run>>[0]): Promise<boolean> {
  takeRun(shown)
  const taken = liveRuns.get(before.run_id)
  try {
    takeRun(await call(request))
    return true
  } catch (error) {
    // What the stream told of it meanwhile is newer than what was there before.
    if (liveRuns.get(before.run_id) === taken) takeRun(before)
    toastError(error)
    return false
  }
}
