import { useQuery } from '@tanstack/vue-query'
import { machineResources, type Resources } from '@/client'
import { call } from '@/api/call'
import { useRefresh } from '@/live/refresh'

/** What is measured of a machine is in no event, so it is asked for this often while it is looked at. */
const LOOK = 4_000

export const RESOURCES = ['resources'] as const

export function useResources() {
  useRefresh(() => RESOURCES)
  return useQuery<Resources>({
    queryKey: RESOURCES,
    queryFn: ({ signal }) => call((o) => machineResources(o), signal),
    refetchInterval: LOOK,
  })
}
