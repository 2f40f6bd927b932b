-- Switches the lights off when nobody has been home for ten minutes.

local PEOPLE = { domain = "person" } -- whose state is "home" when they are
local LIGHTS = { domain = "light" }  -- what is switched off
local AWAY = "10m"

local function find(what, state)
  local asked = { state = state, fields = { "state" } }
  for key, value in pairs(what) do asked[key] = value end
  return call("home_find", asked)
end

local function is_empty()
  return find(PEOPLE, "home").total == 0
end

local waiting -- takes the timer back

on("entity", { entity_id = PEOPLE.domain .. ".*" }, function()
  if not is_empty() then
    if waiting then waiting() end
    waiting = nil
  elseif not waiting then
    waiting = after(AWAY, function()
      waiting = nil
      if not is_empty() then return end
      local lit = {}
      for _, light in ipairs(find(LIGHTS, "on").entities) do lit[#lit + 1] = light.id end
      if #lit == 0 then return end
      call("home_call", { service = "light.turn_off", target = { entity_id = lit } })
      log("nobody is home: " .. #lit .. " lights switched off")
    end)
  end
end)
