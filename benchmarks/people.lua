-- Asks for people for wrk, each time another: `-- OPERATION TAG COUNT`, where
-- `create` makes new ones, whose e-mail addresses start with TAG (in hexadecimal) so that no two are the same,
-- `patch` changes the name and score, and `read` reads, of those with the ids 1 to COUNT, in random order.
dofile("report.lua")

local headers = { ["Content-Type"] = "application/json" }
local operation, tag, count
local number = 0

init = function(args)
  operation, tag, count = args[1], args[2], tonumber(args[3])
  math.randomseed(tonumber(tag, 16) % 2147483647)
end

request = function()
  number = number + 1
  if operation == "create" then
    return wrk.format("POST", nil, headers, string.format(
      '{"name":"Created %d","email":"%s-%d@example.org","country":"DE","score":%d}', number, tag, number, number % 1001))
  end
  local id = math.random(count)
  local path = wrk.path .. "/" .. id
  if operation == "patch" then
    return wrk.format("PATCH", path, headers, string.format('{"name":"Changed %05d","score":%d}', id, number % 1001))
  end
  return wrk.format("GET", path)
end
