/** Lists of runs as the server pages them, read again as the stream tells of changes. */
import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { runsListRuns, type RunPage, type RunsListRunsData } from '@/client'
import { call } from '@/api/call'
import type { Change } from '@/live/event'
import { useRefresh } from '@/live/refresh'

export type RunQuery = NonNullable<RunsListRunsData['query']>

/** Changes that put a run into another list; progress alone does not. */
const MOVES = new Set(['run_submitted', 'run_started', 'run_requeued', 'run_ended', 'batch_cancelled', 'cancel_requested', 'run_held', 'run_released', 'run_edited'])

export const moves = (change: Change) => MOVES.has(change.kind)

/** Reads a list; `look` reads it again every so many milliseconds, beside when the stream tells of a change. */
export function useRuns(query: MaybeRefOrGetter<RunQuery>, look?: number) {
  const key = computed(() => ['runs', toValue(query)] as const)
  useRefresh(() => key.value, moves)
  return useQuery<RunPage>({
    queryKey: key,
    queryFn: ({ signal }) => call((o) => runsListRuns({ ...o, query: toValue(query) }), signal),
    placeholderData: keepPreviousData,
    refetchInterval: look,
  })
}
