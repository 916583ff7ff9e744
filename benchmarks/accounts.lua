-- Asks for one path for wrk: with each of the access tokens that it is given in turn, or with none.
dofile("report.lua")

local requests, number = {}, 0

init = function(args)
  for index, token in ipairs(args) do
    requests[index] = wrk.format("GET", nil, { ["Authorization"] = "Bearer " .. token })
  end
  if #requests == 0 then
    requests[1] = wrk.format("GET")
  end
end

request = function()
  number = number % #requests + 1
  return requests[number]
end
