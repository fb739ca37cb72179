import type { StartName, StartOptions } from './broker.ts'
import type { MakeRecipe } from './recipe.ts'
import { gcpPubsubRecipe } from './recipes/gcp-pubsub.ts'
import { kafkaRecipe } from './recipes/kafka.ts'
import { kubernetesRecipe } from './recipes/kubernetes.ts'
import { natsRecipe } from './recipes/nats.ts'
import { rabbitmqRecipe } from './recipes/rabbitmq.ts'
import { redisRecipe } from './recipes/redis.ts'

/** How each broker is run natively. */
export const recipes: { [Name in StartName]: MakeRecipe<StartOptions[Name]> } = {
  nats: natsRecipe,
  redis: redisRecipe,
  rabbitmq: rabbitmqRecipe,
  kafka: kafkaRecipe,
  'gcp-pubsub': gcpPubsubRecipe,
  kubernetes: kubernetesRecipe,
}
