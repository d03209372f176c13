export { serveKafka, type KafkaServer, type ServeOptions } from './server.ts'
export { startKafka, type StartOptions } from './start.ts'
export type { KafkaLimits } from './limits.ts'
