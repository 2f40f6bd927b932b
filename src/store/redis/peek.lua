-- The oldest messages of an outbox. KEYS: counters, ids, messages. ARGV: most messages, most bytes.
-- Returns how many wait, then id, message, id, message, ...
local page = {tostring(redis.call('ZCARD', KEYS[2]))}
local most, bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
if most > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, most - 1)) do
    local message = redis.call('HGET', KEYS[3], id)
    if message then
      page[#page + 1] = id
      page[#page + 1] = message
      bytes = bytes - #message
      if bytes <= 0 then
        break
      end
    end
  end
end
return page
