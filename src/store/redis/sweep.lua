-- Drops from the indexes what Redis itself has let end.
-- KEYS: the index of endings. ARGV: start of all names, most entries to look at.
-- Returns how many it looked at.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  local table, key = string.match(member, '^([^:]+):(.*)$')
  local left = redis.call('PTTL', ARGV[1] .. 'e:' .. member)
  if left > 0 then
    redis.call('ZADD', KEYS[1], now + left, member)
  else
    redis.call('ZREM', KEYS[1], member)
    if left == -2 then
      redis.call('ZREM', ARGV[1] .. 't:' .. table, key)
    end
  end
end
return #members
