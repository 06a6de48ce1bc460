import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { createApp } from 'vue'
import App from './App.vue'
import { CallError } from './api/problem'
import { startLive } from './live/live'
import { router } from './router'
import './styles/main.css'

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The server may be this machine: it answers also when the browser thinks that it is offline.
      networkMode: 'always',
      retry: (failures, error) => failures < 1 && error instanceof CallError && error.status >= 500,
      staleTime: 5_000,
      refetchOnWindowFocus: true,
    },
    mutations: { networkMode: 'always' },
  },
})

startLive()
createApp(App).use(router).use(VueQueryPlugin, { queryClient: queries }).mount('#app')
