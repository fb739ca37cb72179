import type { BrokerName, BrokerOptions } from './broker.ts'
import type { MakeRecipe } from './recipe.ts'
import { natsRecipe } from './recipes/nats.ts'
import { redisRecipe } from './recipes/redis.ts'

/** How each broker is run natively. */
export const recipes: { [Name in BrokerName]: MakeRecipe<BrokerOptions[Name]> } = {
  nats: natsRecipe,
  redis: redisRecipe,
}
