-- Reminds every ten minutes of a door or window that was left open.

local OPENINGS = "binary_sensor.*" -- which entities; those that are no doors or windows are left out
local CLASSES = { door = true, window = true, garage_door = true, opening = true }
local AFTER = "10m"
local NOTIFY = "persistent_notification.create" -- or notify.mobile_app_phone

local function remind(entity_id, name)
  local now, about = state(entity_id)
  if now ~= "on" or not CLASSES[about.device_class] then return end
  call("home_call", {
    service = NOTIFY,
    data = { title = "Left open", message = name .. " is open since more than " .. AFTER },
  })
  after(AFTER, function() remind(entity_id, name) end)
end

on("entity", { entity_id = OPENINGS, to = "on", for_ = AFTER }, function(e)
  remind(e.entity_id, e.name or e.entity_id)
end)

tool{
  name = "list", level = "read", about = "Doors and windows that are open now",
  run = function()
    local open = {}
    local found = call("home_find", { domain = "binary_sensor", state = "on",
                                      fields = { "name", "device_class" } })
    for _, one in ipairs(found.entities) do
      if CLASSES[one.device_class] then open[#open + 1] = one.name end
    end
    return { open = open }
  end,
}
