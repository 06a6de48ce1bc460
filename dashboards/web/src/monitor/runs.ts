/** The runs that a monitor shows, as they are now. */

import { useQueries } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { call } from '@/api/call'
import { runsShow, type Run } from '@/client'
import { newest } from '@/live/runs'

/** One of the runs that are open: read, or not there. */
export interface OpenRun {
  readonly runId: string
  readonly run: Run | undefined
  readonly error: unknown
}

export function useOpenRuns(ids: Ref<readonly string[]>) {
  const queries = computed(() =>
    ids.value.map((runId) => ({
      queryKey: ['run', runId],
      queryFn: ({ signal }: { signal: AbortSignal }) => call((options) => runsShow({ ...options, path: { run_id: runId } }), signal),
    })),
  )
  const results = useQueries({ queries })
  return computed<OpenRun[]>(() =>
    ids.value.map((runId, index) => {
      const { data, error } = results.value[index] ?? {}
      return { runId, run: data && newest(data as Run), error }
    }),
  )
}
