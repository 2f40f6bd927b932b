-- Checks, then does, the operations of one change.
-- KEYS: for each operation the entry and its table's index; at the end the index of endings.
-- ARGV: for each operation five parts: what, key in the table, member of the index of endings,
-- value, milliseconds to live ('' is for ever). Returns {1, deleted} or {0, 0}.
local count = (#KEYS - 1) / 2
local endings = KEYS[#KEYS]
for i = 0, count - 1 do
  local what, value = ARGV[i * 5 + 1], ARGV[i * 5 + 4]
  local there = nil
  if what == 'is' or what == 'none' then
    there = redis.call('GET', KEYS[i * 2 + 1])
  end
  if (what == 'is' and there ~= value) or (what == 'none' and there) then
    return {0, 0}
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deleted = 0
for i = 0, count - 1 do
  local entry, index = KEYS[i * 2 + 1], KEYS[i * 2 + 2]
  local what, key, member = ARGV[i * 5 + 1], ARGV[i * 5 + 2], ARGV[i * 5 + 3]
  local value, ttl = ARGV[i * 5 + 4], ARGV[i * 5 + 5]
  if what == 'put' then
    if ttl == '' then
      redis.call('SET', entry, value)
      redis.call('ZREM', endings, member)
    else
      redis.call('SET', entry, value, 'PX', ttl)
      redis.call('ZADD', endings, now + tonumber(ttl), member)
    end
    redis.call('ZADD', index, 0, key)
  elseif what == 'keep' then
    redis.call('SET', entry, value, 'KEEPTTL')
    redis.call('ZADD', index, 0, key)
  elseif what == 'delete' then
    deleted = deleted + redis.call('DEL', entry)
    redis.call('ZREM', index, key)
    redis.call('ZREM', endings, member)
  end
end
return {1, deleted}
