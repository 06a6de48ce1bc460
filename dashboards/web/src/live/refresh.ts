/** Queries that are read again when the stream tells of changes, at most once in a while. */
import { useQueryClient, type QueryKey } from '@tanstack/vue-query'
import { onScopeDispose, watch } from 'vue'
import type { Change } from './event'
import { live, onChanges } from './live'

/** Milliseconds between two readings of the same list, however much changes. */
const PACE = 1_000

/** Reads the query again when a change matters to it: at once, then at most once a second. */
export function useRefresh(key: () => QueryKey, matters: (change: Change) => boolean = () => true): void {
  const queries = useQueryClient()
  let timer: ReturnType<typeof setTimeout> | undefined
  let readAt = 0

  function read() {
    timer = undefined
    readAt = Date.now()
    void queries.invalidateQueries({ queryKey: key() })
  }

  const end = onChanges((changes) => {
    if (timer === undefined && changes.some(matters))
      timer = setTimeout(read, Math.max(0, readAt + PACE - Date.now()))
  })
  watch(live.resyncs, read)
  onScopeDispose(() => {
    end()
    clearTimeout(timer)
  })
}
