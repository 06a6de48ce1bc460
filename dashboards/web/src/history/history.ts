import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { machineHistory, type ResourcesHistory } from '@/client'
import { call } from '@/api/call'
import { joined } from './past'

const KEY = ['history'] as const
/** The server looks as often. */
const LOOK = 5_000

export function useHistory() {
  const queries = useQueryClient()
  const read = (since: number, signal: AbortSignal) => call((o) => machineHistory({ ...o, query: { since } }), signal)
  return useQuery<ResourcesHistory>({
    queryKey: KEY,
    queryFn: async ({ signal }) => {
      const before = queries.getQueryData<ResourcesHistory>(KEY)
      const last = before?.at.at(-1)
      if (!before || last === undefined) return read(0, signal)
      return joined(before, await read(last, signal)) ?? read(0, signal)
    },
    refetchInterval: LOOK,
    structuralSharing: false,
  })
}
