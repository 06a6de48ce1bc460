import type { Reason, Run, Tell } from '@/client'

const REASONS: Record<Reason, string> = {
  exit_code: 'Exited with an error',
  signal: 'Ended by a signal',
  timeout: 'Ran out of time',
  memory_limit: 'Over its memory limit',
  gpu_memory_limit: 'Over its GPU memory limit',
  output_limit: 'Wrote too much output',
  out_of_memory: 'Out of memory',
  start_error: 'Could not be started',
  node_lost: 'Its machine was lost',
  supervisor_lost: 'Its supervisor was lost',
  dependency_failed: 'A run before it failed',
  cancelled_by_user: 'Cancelled',
  batch_cancelled: 'Its batch was cancelled',
  queue_timeout: 'Waited too long',
  stalled: 'Made no progress',
}

/** What exit codes say by custom; other ones mean what the module means by them. */
const CODES: Record<number, string> = {
  0: 'success',
  1: 'a general error',
  2: 'wrong usage or arguments',
  126: 'found, but it cannot be executed',
  127: 'not found',
  130: 'interrupted (Ctrl-C)',
  134: 'aborted (SIGABRT)',
  137: 'killed (SIGKILL), often for memory',
  139: 'crashed (SIGSEGV)',
  143: 'asked to end (SIGTERM)',
}

const SIGNALS: Record<number, string> = {
  1: 'SIGHUP', 2: 'SIGINT', 3: 'SIGQUIT', 4: 'SIGILL', 6: 'SIGABRT', 7: 'SIGBUS', 8: 'SIGFPE', 9: 'SIGKILL',
  11: 'SIGSEGV', 13: 'SIGPIPE', 14: 'SIGALRM', 15: 'SIGTERM', 24: 'SIGXCPU', 25: 'SIGXFSZ',
}

export const reasonWords = (reason: Reason | null): string | null => (reason ? REASONS[reason] : null)

export function exitWords(run: Pick<Run, 'exit_code' | 'signal'>): string | null {
  if (run.signal != null) return `signal ${run.signal} (${SIGNALS[run.signal] ?? 'unnamed'})`
  if (run.exit_code == null) return null
  const meaning = CODES[run.exit_code] ?? (run.exit_code > 128 ? `by custom, signal ${SIGNALS[run.exit_code - 128] ?? run.exit_code - 128}` : null)
  return `exit code ${run.exit_code}${meaning ? `: ${meaning}` : ''}`
}

/** The last characters tell runs apart; the first ones are the time. */
export const shortId = (runId: string): string => runId.slice(-6)

/** What differs from the run that it was restarted from; null where nothing does, or nobody knows. */
export function changedWords(run: Pick<Run, 'code_changed'>): string | null {
  return run.code_changed?.length ? `Changed since: ${run.code_changed.join('; ')}` : null
}

const TELLS: Record<Tell['kind'], (name: string) => string> = {
  command: (name) => `the command ${name}`,
  webhook: (name) => `the webhook ${name}`,
  desktop: () => 'the desktop',
}

/** Who is told of the end of a run or a batch; null where nobody is. */
export function tellsWords(of: { tells?: Tell[] | null }): string | null {
  return of.tells?.length ? `Tells of its end: ${of.tells.map((tell) => TELLS[tell.kind](tell.name)).join(', ')}` : null
}

/** Seconds since the run began, or that it took. */
export function elapsedSeconds(run: Run, now: number): number | null {
  // While it runs, the server's own figure is as old as what it was told in.
  if (run.ended_at) return run.duration_seconds
  return run.started_at ? Math.max(0, (now - Date.parse(run.started_at)) / 1000) : null
}

/** Seconds to the end at the pace so far; null where that cannot be told. */
export function etaSeconds(run: Run, now: number): number | null {
  const elapsed = elapsedSeconds(run, now)
  if (run.status !== 'running' || !run.progress || elapsed == null || run.progress >= 1) return null
  return (elapsed * (1 - run.progress)) / run.progress
}
