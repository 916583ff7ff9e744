-- Uses the Library as its people do, for wrk: `-- BOOKS LIBRARIAN MEMBER...`, how many books there are, and tokens.
-- Of ten requests eight read: a search, a book, the member's own loans. Two write: a member borrows a book or gives one
-- back, or the librarian changes one.
dofile("report.lua")

local words = { "river", "wolf", "autumn", "silver", "garden", "time", "lost", "sea", "chlo", "mann" }
local json = "application/json"
local books, librarian
local members, loans, lent = {}, {}, 0

init = function(args)
  books, librarian = tonumber(args[1]), args[2]
  for index = 3, #args do
    members[#members + 1] = { token = args[index], loans = 0 }
  end
  math.randomseed(1729)
end

local function send(method, path, token, body, more)
  local headers = more or {}
  headers["Authorization"] = token and "Bearer " .. token
  headers["Content-Type"] = body and json
  return wrk.format(method, path, headers, body)
end

local function lend()
  if #loans > 20 then
    local loan = table.remove(loans, math.random(#loans))
    return send("POST", "/loans/" .. loan.id .. "/return", loan.member.token)
  end
  local member = members[math.random(#members)]
  while member.loans >= 4 do
    member = members[math.random(#members)]
  end
  member.loans = member.loans + 1
  -- Not one that the member may have: only a few are on loan at a time.
  lent = lent + 1
  return send("POST", "/loans", member.token, string.format('{"book_id":%d}', lent * 7919 % books + 1))
end

local function change()
  local body = string.format('{"ratings_count":%d}', math.random(5000000))
  return send("PATCH", "/books/" .. math.random(books), librarian, body, { ["If-Match"] = "*" })
end

request = function()
  local chance = math.random()
  if chance < 0.3 then
    return send("GET", string.format("/books?q=%s&page=%d&per_page=20", words[math.random(#words)], math.random(3)))
  elseif chance < 0.6 then
    return send("GET", "/books/" .. math.random(books))
  elseif chance < 0.8 then
    return send("GET", "/loans?per_page=20", members[math.random(#members)].token)
  elseif chance < 0.95 then
    return lend()
  end
  return change()
end

response = function(status, headers, body)
  if status >= 400 then
    io.stderr:write(status, " ", body, "\n")
    return
  end
  local id, user = body:match('^{"id":(%d+),"book_id":%d+,"user_id":(%d+),')
  if id == nil then
    return
  end
  local member = members[tonumber(user)]
  if body:find('"returned_at":null', 1, true) then
    loans[#loans + 1] = { id = id, member = member }
  else
    member.loans = member.loans - 1
  end
end
