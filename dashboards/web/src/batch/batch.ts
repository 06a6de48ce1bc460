import { useQuery } from '@tanstack/vue-query'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { batchesAdvice, batchesFailed, batchesListBatches, batchesShow, batchesSquares, type Batch, type BatchPage } from '@/client'
import { call } from '@/api/call'
import { useRefresh } from '@/live/refresh'
import { moves } from '@/run/lists'

export function useBatches(page: MaybeRefOrGetter<{ limit: number; offset: number }>) {
  const key = computed(() => ['batches', toValue(page)] as const)
  useRefresh(() => key.value, (change) => change.batch_id !== null && moves(change))
  return useQuery<BatchPage>({
    queryKey: key,
    queryFn: ({ signal }) => call((o) => batchesListBatches({ ...o, query: toValue(page) }), signal),
    placeholderData: (before) => before,
  })
}

export function useBatch(batchId: MaybeRefOrGetter<string>) {
  const path = () => ({ batch_id: toValue(batchId) })
  const key = (part: string) => [part, toValue(batchId)] as const
  const matters = (change: { batch_id: string | null; kind: string }) => change.batch_id === toValue(batchId)
  useRefresh(() => key('batch'), matters)
  // The squares are live by themselves; only runs that come anew have to be read.
  useRefresh(() => key('squares'), (change) => matters(change) && change.kind === 'run_submitted')
  useRefresh(() => key('failures'), (change) => matters(change) && change.run?.status === 'failed')
  const batch = useQuery<Batch>({
    queryKey: computed(() => key('batch')),
    queryFn: ({ signal }) => call((o) => batchesShow({ ...o, path: path() }), signal),
  })
  const squares = useQuery({
    queryKey: computed(() => key('squares')),
    queryFn: ({ signal }) => call((o) => batchesSquares({ ...o, path: path() }), signal),
  })
  const failures = useQuery({
    queryKey: computed(() => key('failures')),
    queryFn: ({ signal }) => call((o) => batchesFailed({ ...o, path: path() }), signal),
  })
  const advice = useQuery({
    queryKey: computed(() => key('advice')),
    queryFn: ({ signal }) => call((o) => batchesAdvice({ ...o, path: path() }), signal),
    staleTime: 60_000,
  })
  return { batch, squares, failures, advice }
}
