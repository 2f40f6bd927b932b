-- A page of a table in key order; drops keys from the index whose entry has ended.
-- KEYS: the table's index. ARGV: start of its entries' names, lowest and highest key (as
-- ZRANGEBYLEX wants them), most entries, most bytes. Returns key, value, key, value, ...
local entries, low, high = ARGV[1], ARGV[2], ARGV[3]
local most, bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local page = {}
while most > 0 and bytes > 0 do
  local keys = redis.call('ZRANGEBYLEX', KEYS[1], low, high, 'LIMIT', 0, most)
  if #keys == 0 then
    break
  end
  for _, key in ipairs(keys) do
    local value = redis.call('GET', entries .. key)
    if value then
      page[#page + 1] = key
      page[#page + 1] = value
      most = most - 1
      bytes = bytes - #value
      if bytes <= 0 then
        break
      end
    else
      redis.call('ZREM', KEYS[1], key)
    end
    low = '(' .. key
  end
end
return page
