/** Which runs the list shows, by its address. */
import { computed } from 'vue'
import type { Status } from '@/client'
import type { RunQuery } from '@/run/lists'
import { useAddress } from '@/ui/address'
import { exitCodes } from './codes'

export const PAGE = 50
export const STATUSES: readonly Status[] = ['queued', 'running', 'completed', 'failed', 'cancelled']

export function useFilter() {
  const { set, one, many } = useAddress()
  const text = one('q')
  const module = one('module')
  const batch = one('batch')
  const label = one('label')
  const since = one('since')
  const until = one('until')
  const shortest = one('min')
  const longest = one('max')
  const exits = one('exit')
  const sort = one('sort', '-created_at')
  const page = computed(() => Math.max(1, Number(one('page').value) || 1))
  const statuses = computed(() => many('status').value.filter((word): word is Status => STATUSES.includes(word as Status)))
  const narrowing = computed<RunQuery>(() => ({
    status: statuses.value.length ? statuses.value : undefined,
    q: text.value || undefined,
    module_id: module.value || undefined,
    batch_id: batch.value || undefined,
    label: label.value || undefined,
    since: since.value || undefined,
    until: until.value || undefined,
    min_duration: shortest.value || undefined,
    max_duration: longest.value || undefined,
    exit_code: exits.value ? (exitCodes(exits.value) ?? undefined) : undefined,
  }))
  const query = computed<RunQuery>(() => ({
    ...narrowing.value,
    sort: sort.value as RunQuery['sort'],
    limit: PAGE,
    offset: (page.value - 1) * PAGE,
  }))
  const isNarrow = computed(() => Object.values(narrowing.value).some((value) => value !== undefined))

  /** Sets parts of the filter, and goes to its first page. */
  const change = (parts: Record<string, string | readonly string[] | null>) => set({ page: null, ...parts })
  const clear = () => change({ status: null, q: null, module: null, batch: null, label: null, since: null, until: null, min: null, max: null, exit: null })
  return { text, module, batch, label, since, until, shortest, longest, exits, sort, page, statuses, narrowing, query, isNarrow, change, clear, set }
}

export type Filter = ReturnType<typeof useFilter>
