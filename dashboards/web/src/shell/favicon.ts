/** The tab's icon says whether anything runs or failed lately; a picture of its own for each, drawn here. */
import { computed, watch } from 'vue'
import { liveRuns } from '@/live/runs'

const DOTS = { idle: '', running: '#3b82f6', failed: '#e5484d' }
/** A run that failed is shown in the icon for this long. */
const FAILED_MILLISECONDS = 60_000

export const counts = computed(() => {
  let running = 0
  let failed = 0
  for (const run of liveRuns.values()) {
    if (run.status === 'running') running++
    if (run.status === 'failed' && run.ended_at && Date.now() - Date.parse(run.ended_at) < FAILED_MILLISECONDS) failed++
  }
  return { running, failed }
})

export function followFavicon(): void {
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
  const plain = link?.href ?? ''
  const state = computed(() => (counts.value.failed ? 'failed' : counts.value.running ? 'running' : 'idle'))
  watch(state, (now) => link && (link.href = DOTS[now] ? drawn(DOTS[now]) : plain), { immediate: true })
}

function drawn(dot: string): string {
  const picture =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#4f46e5"/>` +
    `<path d="M8 10h9M8 16h14M8 22h6" stroke="#fff" stroke-width="2.6" stroke-linecap="round"/>` +
    `<circle cx="24" cy="24" r="8" fill="${dot}" stroke="#fff" stroke-width="2"/></svg>`
  return `data:image/svg+xml,${encodeURIComponent(picture)}`
}
