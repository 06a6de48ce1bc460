/** Two logs and where they differ, read by the address. */
import { useQuery } from '@tanstack/vue-query'
import { computed, toValue, type ComputedRef, type MaybeRefOrGetter } from 'vue'
import { useRun } from '@/run/run'
import { diff } from './diff'
import { parseSide, readBeginning, type Beginning } from './read'
import { comparedText, type Ignored } from './text'

export type Side = ReturnType<typeof useSide>

/** Reads one side: the run, and the beginning of the log of one of its attempts. */
export function useSide(address: MaybeRefOrGetter<string>) {
  const side = computed(() => parseSide(toValue(address)))
  const { query: found, run } = useRun(() => side.value?.runId ?? '', () => side.value !== null)
  const attempt = computed(() => side.value?.attempt ?? run.value?.attempt ?? 0)
  const log = useQuery<Beginning>({
    queryKey: computed(() => ['compare', side.value?.runId, attempt.value, run.value?.status]),
    queryFn: ({ signal }) => readBeginning(side.value!.runId, attempt.value, signal),
    enabled: computed(() => side.value !== null && attempt.value > 0),
  })
  return { side, run, found, attempt, log }
}

/** Returns where the lines of both agree and where not; null until both are there. */
export function useDifference(a: Side, b: Side, ignored: ComputedRef<Ignored>) {
  const text = (side: Side) => side.log.data.value?.lines.map((line) => comparedText(line, ignored.value))
  return computed(() => {
    const [one, other] = [text(a), text(b)]
    return one && other ? diff(one, other) : null
  })
}
