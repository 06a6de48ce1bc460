/** One run: read once, then as the stream tells of it. */
import { useQuery } from '@tanstack/vue-query'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { runsAttempts, runsShow, type Attempt, type Run } from '@/client'
import { call } from '@/api/call'
import { useRefresh } from '@/live/refresh'
import { liveRuns } from '@/live/runs'

/** Reads a run and follows it, unless it is not `wanted`. */
export function useRun(runId: MaybeRefOrGetter<string>, wanted: MaybeRefOrGetter<boolean> = true) {
  const key = computed(() => ['run', toValue(runId)] as const)
  useRefresh(() => key.value, (change) => change.run_id === toValue(runId) && change.kind !== 'run_progressed')
  const query = useQuery<Run>({
    queryKey: key,
    queryFn: ({ signal }) => call((o) => runsShow({ ...o, path: { run_id: toValue(runId) } }), signal),
    enabled: computed(() => toValue(wanted)),
  })
  const run = computed<Run | undefined>(() => {
    const read = query.data.value
    const told = liveRuns.get(toValue(runId))
    if (!told || !read) return told ?? read
    // The link into Ray's dashboard, where its code came from, who is told of its end, and what a queued run waits for, are in the server's answers only.
    const waits = told.status === 'queued' ? { waiting_for: told.waiting_for ?? read.waiting_for, expected_start: told.expected_start ?? read.expected_start, expected_seconds: told.expected_seconds ?? read.expected_seconds } : {}
    return { ...told, ray_log_url: read.ray_log_url, origin: read.origin, code_changed: read.code_changed, tells: read.tells, ...waits }
  })
  return { query, run }
}

export function useAttempts(runId: MaybeRefOrGetter<string>) {
  const key = computed(() => ['attempts', toValue(runId)] as const)
  useRefresh(() => key.value, (change) => change.run_id === toValue(runId) && change.kind !== 'run_progressed')
  return useQuery<Attempt[]>({
    queryKey: key,
    queryFn: ({ signal }) => call((o) => runsAttempts({ ...o, path: { run_id: toValue(runId) } }), signal),
  })
}
