export { serveKafka, type KafkaServer, type ServeOptions } from './server.ts'
export type { KafkaLimits } from './limits.ts'
