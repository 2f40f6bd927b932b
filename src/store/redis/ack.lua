-- Removes a message from an outbox. KEYS: counters, ids, messages. ARGV: id. Returns 1 or 0.
local there = redis.call('ZREM', KEYS[2], ARGV[1])
if there == 1 then
  local message = redis.call('HGET', KEYS[3], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
  -- A plain minus would make -0 of an empty message, which Redis takes for no number.
  redis.call('HINCRBY', KEYS[1], 'bytes', 0 - #(message or ''))
end
return there
