/**
 * Merges a client into its hash, field by field, the later stamp winning; of two that were made apart, the earlier is
 * kept. Stamps compare as text. KEYS: the hash. ARGV: expiry in milliseconds, born, gone, stamp of set, set, then
 * fields of topics and their values in turn, which begin with a stamp.
 */
export const mergeScript = `
local function value(field) return redis.call('HGET', KEYS[1], field) or '' end
local born, gone = value('born'), value('gone')
if ARGV[3] > gone then gone = ARGV[3] end
if ARGV[2] > gone and (born <= gone or ARGV[2] < born) then born = ARGV[2] end
redis.call('HSET', KEYS[1], 'born', born, 'gone', gone)
if ARGV[4] >= value('setStamp') then
  redis.call('HSET', KEYS[1], 'setStamp', ARGV[4], 'set', ARGV[5])
end
for i = 6, #ARGV, 2 do
  if ARGV[i + 1] > value(ARGV[i]) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`
