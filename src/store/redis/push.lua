-- Appends a message to an outbox.
-- KEYS: counters, ids, messages. ARGV: message, most messages, most bytes.
-- Returns {id, messages, bytes}; id 0 when it is full.
local items = redis.call('ZCARD', KEYS[2])
local bytes = tonumber(redis.call('HGET', KEYS[1], 'bytes') or '0')
if items >= tonumber(ARGV[2]) or bytes + #ARGV[1] > tonumber(ARGV[3]) then
  return {0, items, bytes}
end
local id = redis.call('HINCRBY', KEYS[1], 'next', 1)
redis.call('HINCRBY', KEYS[1], 'bytes', #ARGV[1])
redis.call('ZADD', KEYS[2], id, id)
redis.call('HSET', KEYS[3], id, ARGV[1])
return {id, items + 1, bytes + #ARGV[1]}
