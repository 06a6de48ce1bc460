import { createRouter, createWebHistory } from 'vue-router'
import { root } from '@/api/call'

/** The views. `runyard_dashboards.VIEWS` names the same addresses for the server. */
export const router = createRouter({
  history: createWebHistory(new URL(root).pathname),
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
  routes: [
    { path: '/', name: 'overview', meta: { title: 'Overview' }, component: () => import('@/views/OverviewView.vue') },
    { path: '/runs', name: 'runs', meta: { title: 'Runs' }, component: () => import('@/views/RunsView.vue') },
    {
      path: '/runs/:runId',
      name: 'run',
      meta: { title: 'Run' },
      props: true,
      component: () => import('@/views/RunView.vue'),
    },
    { path: '/batches', name: 'batches', meta: { title: 'Batches' }, component: () => import('@/views/BatchesView.vue') },
    {
      path: '/batches/:batchId',
      name: 'batch',
      meta: { title: 'Batch' },
      props: true,
      component: () => import('@/views/BatchView.vue'),
    },
    { path: '/monitor', name: 'monitor', meta: { title: 'Monitor' }, component: () => import('@/views/MonitorView.vue') },
    { path: '/compare', name: 'compare', meta: { title: 'Compare' }, component: () => import('@/views/CompareView.vue') },
    { path: '/modules', name: 'modules', meta: { title: 'Modules' }, component: () => import('@/views/ModulesView.vue') },
    { path: '/machine', name: 'machine', meta: { title: 'Machine' }, component: () => import('@/views/MachineView.vue') },
    { path: '/:rest(.*)*', name: 'nowhere', meta: { title: 'Not found' }, component: () => import('@/views/NowhereView.vue') },
  ],
})
