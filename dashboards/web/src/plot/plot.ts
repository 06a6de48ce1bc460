/** What every graph over time shares: it fills its place, is drawn anew in another theme, and ends with its view. */
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { onBeforeUnmount, onMounted, watch, type Ref, type WatchSource } from 'vue'
import { colourOf, useThemeTick } from '@/ui/paint'
import { useWidth } from '@/ui/size'

/** Steps of an axis of bytes, so that its marks are round in GiB. */
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power)
/** Seconds between the marks of the time. */
const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400]
/** Room at the left for the words of the axis. */
const WORDS = 62

/** Keeps a plot in `holder`; it is made anew when one of `anew` changes, and takes new data as they come. */
export function usePlot(
  holder: Readonly<Ref<HTMLElement | null>>,
  options: (width: number) => uPlot.Options,
  data: () => uPlot.AlignedData,
  anew: WatchSource[] = [],
): void {
  const width = useWidth(holder)
  const themeTick = useThemeTick()
  let plot: uPlot | undefined

  function draw() {
    plot?.destroy()
    plot = holder.value && width.value ? new uPlot(options(width.value), data(), holder.value) : undefined
  }

  onMounted(draw)
  watch([width, themeTick, ...anew], draw, { flush: 'post' })
  watch(data, (now) => plot?.setData(now))
  onBeforeUnmount(() => plot?.destroy())
}

/** The axes of time and of an amount. */
export function axes(format: (value: number) => string, isBinary?: boolean): uPlot.Axis[] {
  const axis = { stroke: colourOf('ink-3'), grid: { stroke: colourOf('line'), width: 1 }, ticks: { show: false }, font: '11px "Inter Variable", sans-serif' }
  return [
    { ...axis, size: 26, space: 80, incrs: TIMES, values: (plot, ticks) => ticks.map((tick) => (fits(plot, tick) ? new Date(tick * 1000).toLocaleTimeString('en-GB') : '')) },
    { ...axis, size: WORDS, values: (_plot, ticks) => ticks.map(format), ...(isBinary && { incrs: BINARY_STEPS }) },
  ]
}

/** Half as wide as the words of a time, in pixels. */
const HALF_TIME = 26

/** Whether the words below a moment end before the graph does; they would be cut off. */
function fits(plot: uPlot, moment: number): boolean {
  const { min, max } = plot.scales.x!
  if (min == null || max == null || max <= min) return true
  return ((max - moment) / (max - min)) * (plot.width - WORDS) >= HALF_TIME - 8
}
