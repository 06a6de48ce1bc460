/** What a run used over time: what the server kept, and what came over the stream since. */
import { useQuery } from '@tanstack/vue-query'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { runsUsage, type Run, type RunTimeline } from '@/client'
import { call } from '@/api/call'
import { samplesOf, type Sample } from '@/live/samples'

export type Timeline = Pick<RunTimeline, 'at' | 'cpu_percent' | 'memory' | 'gpu_memory' | 'gpu_percent'>

const NOTHING: Timeline = { at: [], cpu_percent: [], memory: [], gpu_memory: [], gpu_percent: [] }
/** While it runs, the stream tells of each second; what the server kept is read again this often. */
const LOOK = 30_000

export function useTimeline(run: MaybeRefOrGetter<Run>, attempt: MaybeRefOrGetter<number>) {
  const isLive = () => toValue(run).status === 'running' && toValue(attempt) === toValue(run).attempt
  const query = useQuery<Timeline>({
    queryKey: computed(() => ['usage', toValue(run).run_id, toValue(attempt), toValue(run).status]),
    queryFn: ({ signal }) =>
      call((o) => runsUsage({ ...o, path: { run_id: toValue(run).run_id }, query: { attempt: toValue(attempt) } }), signal),
    refetchInterval: () => (isLive() ? LOOK : false),
  })
  const timeline = computed(() => joined(query.data.value ?? NOTHING, isLive() ? samplesOf(toValue(run).run_id) : []))
  return { query, timeline }
}

/** Returns the kept samples with those that came after the last of them. */
export function joined(kept: Timeline, samples: readonly Sample[]): Timeline {
  const last = kept.at.at(-1) ?? -Infinity
  const newer = samples.filter((sample) => sample.at > last)
  return {
    at: [...kept.at, ...newer.map((sample) => sample.at)],
    cpu_percent: [...kept.cpu_percent, ...newer.map((sample) => sample.cpu)],
    memory: [...kept.memory, ...newer.map((sample) => sample.memory)],
    gpu_memory: [...kept.gpu_memory, ...newer.map((sample) => sample.gpuMemory)],
    gpu_percent: [...kept.gpu_percent, ...newer.map(() => null)],
  }
}
